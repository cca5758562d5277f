"""The loss on examples, without learning from them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from services.training.adapters.models import response_nll
from services.training.stages.examples import Encoded, pad

BATCH = 8
"""Examples a forward pass. Losses do not depend on it beyond rounding."""


def batches(examples: Sequence[Encoded]) -> Iterator[list[int]]:
    """Indices of examples of about one length, so that little is padded."""
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].ids))
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def summed_nll(model: Any, examples: Sequence[Encoded], pad_id: int, device: torch.device) -> list[float]:
    """Summed negative log-likelihood of each example's labels."""
    batch = pad(examples, pad_id)
    ids, mask, labels = (torch.tensor(rows, device=device) for rows in (batch.ids, batch.mask, batch.labels))
    with torch.no_grad():  # no inference mode: what a sharded layer is gathered into there could not learn afterwards
        losses = response_nll(model, ids, mask, labels)
    return [float(one) for one in losses.double().sum(dim=1)]


def heldout_loss(model: Any, examples: Sequence[Encoded], pad_id: int) -> float:
    """Mean over tokens, of a model in the midst of training; it goes on as if nothing had been asked."""
    with resting(model):
        total = sum(
            one
            for batch in batches(examples)
            for one in summed_nll(model, [examples[index] for index in batch], pad_id, model.device)
        )
    return total / sum(one.response_tokens for one in examples)


@contextmanager
def resting(model: Any) -> Iterator[None]:
    """A model in the midst of training without dropout. Not by model.eval(): bitsandbytes repacks a CPU's 4-bit weights for
    good when it sees that, and no gradient passes through what it makes of them."""
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout) and module.training]
    for module in dropouts:
        module.eval()
    try:
        yield
    finally:
        for module in dropouts:
            module.train()

"""Which of an adapter's weights mattered for earlier data: the diagonal of the Fisher information, an example at a time."""

from collections.abc import Sequence
from typing import Any

import torch

from services.training.adapters.models import response_nll
from services.training.adapters.scores import resting
from services.training.adapters.snapshots import learned
from services.training.stages.consolidation import Consolidation, fisher_diagonal
from services.training.stages.examples import Encoded


def consolidation(model: Any, earlier: Sequence[Encoded], strength: float) -> Consolidation:
    """Around the weights that the model has now. `earlier`: examples of what it was trained on."""
    return Consolidation(strength, learned(model), fisher(model, earlier))


def fisher(model: Any, examples: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Per token of the examples' answers. Draws no random number, and puts no gradient where workers would share it."""
    learning = {name: one for name, one in model.named_parameters() if one.requires_grad}
    squares = {name: torch.zeros_like(one, dtype=torch.float32) for name, one in learning.items()}
    with resting(model):
        for one in examples:
            ids, labels = (torch.tensor([row], device=model.device) for row in (one.ids, one.labels))
            nll = response_nll(model, ids, torch.ones_like(ids), labels).sum()
            for name, slope in zip(learning, torch.autograd.grad(nll, list(learning.values())), strict=True):
                squares[name] += slope.float().square()
    return fisher_diagonal(squares, sum(one.response_tokens for one in examples))

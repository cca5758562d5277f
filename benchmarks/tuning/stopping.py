"""Whether a model stops by itself: the share of its greedy answers that end with EOS before they are cut off."""

from collections.abc import Sequence
from typing import Any

import torch

from services.training.stages.examples import Encoded

BATCH = 16


def share_that_stops(model: Any, examples: Sequence[Encoded], eos: int, max_new_tokens: int) -> float:
    """Prompts are the examples' own, up to their answers. EOS is never padding here, so one that is found was said."""
    stopped = 0
    for start in range(0, len(examples), BATCH):
        prompts = [one.ids[: len(one.ids) - one.response_tokens] for one in examples[start : start + BATCH]]
        width = max(map(len, prompts))
        ids = torch.tensor([[eos] * (width - len(one)) + list(one) for one in prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=model.device)
        with torch.no_grad():
            said = model.generate(
                input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=eos,
                pad_token_id=eos,
            )  # fmt: skip
        stopped += int((said[:, width:] == eos).any(dim=1).sum())
    return stopped / len(examples)

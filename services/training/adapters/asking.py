"""What a model answers by itself: greedily, until it says EOS or is cut off."""

from collections.abc import Sequence
from typing import Any

import torch

from services.training.stages.examples import Encoded

BATCH = 16


def answers(model: Any, examples: Sequence[Encoded], eos: int, max_new_tokens: int) -> list[tuple[list[int], bool]]:
    """Of each example the tokens of the answer, EOS left out, and whether it came to one. Prompts are the examples' own, up
    to their answers, padded on the left; padding is masked, so that an EOS that is found was said."""
    told: list[tuple[list[int], bool]] = []
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
        told.extend(_until(row, eos) for row in said[:, width:].tolist())
    return told


def _until(row: list[int], eos: int) -> tuple[list[int], bool]:
    return (row[: row.index(eos)], True) if eos in row else (row, False)

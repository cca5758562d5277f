"""The order in which examples are seen: a function of seed and epoch alone, so that a resumed run sees the same."""

import random
from collections.abc import Sequence

WINDOW_BATCHES = 8
"""Batches whose examples are sorted by length together: enough to save most padding, few enough to keep chance."""


def epoch_order(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    """A permutation of the examples in which a batch holds examples of about one length."""
    chance = random.Random(f"{seed}:{epoch}")  # noqa: S311 - an order of examples, no secret
    order = list(range(len(lengths)))
    chance.shuffle(order)
    window = batch_size * WINDOW_BATCHES
    batches = [
        batch
        for start in range(0, len(order), window)
        for batch in _batches(sorted(order[start : start + window], key=lambda one: lengths[one]), batch_size)
    ]
    # A short batch stays last: anywhere else it would shift the border of every batch after it.
    short = [batch for batch in batches if len(batch) < batch_size]
    full = [batch for batch in batches if len(batch) == batch_size]
    chance.shuffle(full)
    return [one for batch in (*full, *short) for one in batch]


def _batches(order: Sequence[int], batch_size: int) -> list[list[int]]:
    return [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]

"""When to warn: the reward rises, and the policy pays for it by leaving the reference behind.

Such a run looks like success on its reward's curve. What a reward fails to measure is what it loses (Gao et al. 2023,
"Scaling laws for reward model overoptimization").
"""

from collections.abc import Sequence
from statistics import fmean

WINDOW = 8
"""Steps that are averaged: a batch's reward and divergence are noisy."""
GROWTH = 1.25
"""Over one window the divergence grew by a quarter or more."""


def runs_away(rewards: Sequence[float], divergences: Sequence[float], limit: float) -> bool:
    """The rule, over the last WINDOW steps and the WINDOW before: the mean reward rose, the mean divergence grew by GROWTH
    or more, and it is over `limit` nats an answer. False while there are fewer than two windows of steps."""
    if len(rewards) < 2 * WINDOW:
        return False
    before, now = _windows(rewards)
    near, far = _windows(divergences)
    return now > before and far > limit and far >= GROWTH * near


def _windows(series: Sequence[float]) -> tuple[float, float]:
    return fmean(series[-2 * WINDOW : -WINDOW]), fmean(series[-WINDOW:])

"""The training curve: one point a step, however often a run was interrupted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.contracts.learning import LossPoint

RECENT = 10
"""Steps that a rate is taken over: long enough to be steady, short enough to follow the machine."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast training goes lately."""

    tokens_per_second: float
    seconds_per_step: float


def merge(points: Iterable[LossPoint]) -> list[LossPoint]:
    """Each step once, in order; where a step was run twice (before and after a kill) the later run of it counts."""
    latest = {point.step: point for point in points}
    return [latest[step] for step in sorted(latest)]


def up_to(points: Iterable[LossPoint], step: int) -> list[LossPoint]:
    """The curve as it stood at a checkpoint: what came after it is run again."""
    return [point for point in merge(points) if point.step <= step]


def pace(points: Sequence[LossPoint]) -> Pace:
    """The rate over the latest steps; `tokens` and `seconds` of a point count from the run's beginning."""
    if not points:
        return Pace(0.0, 0.0)
    last = points[-1]
    before = points[-RECENT - 1] if len(points) > RECENT else None
    seconds = last.seconds - (before.seconds if before else 0.0)
    tokens = last.tokens - (before.tokens if before else 0)
    steps = last.step - (before.step if before else 0)
    return Pace(tokens / seconds if seconds > 0 else 0.0, seconds / steps if steps else 0.0)

"""Which checkpoint a run's adapter is: that with the lowest loss over new and old held-out examples, unless a recipe says.

What chooses must not report: each held-out set has two halves, one to choose by and one to be measured on.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shared.contracts.checkpoints import Candidate, CandidateName, CheckpointChoice, ChoiceWish

ORDER: tuple[CandidateName, ...] = ("last", "best-loss", "averaged")
"""Of two that score the same, the one that needs less explaining."""


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


def halves(examples: Sequence[T]) -> tuple[list[T], list[T]]:
    """(to choose by, to report on), by the examples' ids alone, in the order they came in. One alone is reported on."""
    ranked = sorted(examples, key=lambda one: hashlib.sha256(f"half:{one.id}".encode()).digest())
    chosen = {one.id for one in ranked[1::2]}
    return [one for one in examples if one.id in chosen], [one for one in examples if one.id not in chosen]


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate, the steps whose weights it is made of, its loss (nats a token) by held-out set, and what was lost in making
    it (a share of ΔW)."""

    name: CandidateName
    steps: tuple[int, ...]
    losses: Mapping[str, float]
    lost: float = 0.0


def choose(measured: Sequence[Measured], new: str, wish: ChoiceWish) -> CheckpointChoice:
    """`new` names the held-out set of what is being learnt; every other set is of what was learnt before. New and old weigh
    the same, and so do the old sets among themselves."""
    scored = sorted((_scored(one, new) for one in measured), key=lambda one: ORDER.index(one.name))
    by_name = {one.name: one for one in scored}
    if wish != "evaluated":
        chosen = by_name[wish]
        return CheckpointChoice(
            chosen=chosen.name, wish=wish, candidates=tuple(scored), reason=f"{_told(chosen)}: the recipe asks for it"
        )
    chosen = min(scored, key=lambda one: one.score)
    return CheckpointChoice(chosen=chosen.name, wish=wish, candidates=tuple(scored), reason=_reason(chosen, scored, new))


def _scored(one: Measured, new: str) -> Candidate:
    old = [loss for name, loss in one.losses.items() if name != new]
    score = (one.losses[new] + math.fsum(old) / len(old)) / 2 if old else one.losses[new]
    return Candidate(name=one.name, steps=one.steps, losses=dict(one.losses), lost=one.lost, score=score)


def _reason(chosen: Candidate, scored: Sequence[Candidate], new: str) -> str:
    over = "new and old held-out examples" if len(chosen.losses) > 1 else "new held-out examples"
    others = ", ".join(f"{one.name} {one.score:.4f}" for one in scored if one.name != chosen.name)
    beside = f", against {others}" if others else ", alone"
    return f"{_told(chosen)}: {chosen.score:.4f} nats a token over {over}{beside}"


def _told(one: Candidate) -> str:
    steps = f"step {one.steps[0]}" if len(one.steps) == 1 else f"steps {one.steps[0]} to {one.steps[-1]}"
    return f"{one.name} ({steps})"

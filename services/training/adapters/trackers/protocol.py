"""What every tracker does, and what it is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from services.training.stages.curve import RECENT, pace
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe

LOSS = "train/loss"
"""Every step has one, so it tells which steps a tracker holds."""

End = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of one step, and when, in seconds since 1970."""

    step: int
    at: float
    values: dict[str, float]


class Tracker(Protocol):
    """One run in one tracker. Methods may take as long as a request's timeout, and raise whatever their client raises."""

    @property
    def name(self) -> str:
        """For the log."""

    def open(self) -> int:
        """Make the run, or take it up again where there is one; returns the last step that it holds, or 0."""

    def tell(self, figures: Sequence[Figures]) -> None:
        """Steps that come after those told before."""

    def close(self, end: End) -> None:
        """How the run ended."""


def figures_of(curve: Sequence[LossPoint], after: int, at: float) -> list[Figures]:
    """Of the steps after one."""
    return [
        Figures(point.step, at, _values(point, curve[max(0, index - RECENT) : index + 1]))
        for index, point in enumerate(curve)
        if point.step > after
    ]


def _values(point: LossPoint, lately: Sequence[LossPoint]) -> dict[str, float]:
    heldout = {} if point.heldout_loss is None else {"heldout/loss": point.heldout_loss}
    # The loss comes last: where a tracker took half of a step, the step counts as not told.
    return {
        **{f"train/{name}": value for name, value in point.metrics.items()}, **heldout,
        "train/learning_rate": point.learning_rate, "train/memory_bytes": float(point.memory_bytes),
        "train/tokens_per_second": pace(lately).tokens_per_second, LOSS: point.loss,
    }  # fmt: skip


def parameters_of(recipe: TrainingRecipe) -> dict[str, Any]:
    """A recipe as flat names and plain values: a section's field is `section.field`, a list is JSON."""
    found: dict[str, Any] = {}
    for name, value in recipe.model_dump(mode="json").items():
        fields = {f"{name}.{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {name: value}
        found |= {key: json.dumps(one) if isinstance(one, dict | list) else one for key, one in fields.items()}
    return {name: value for name, value in found.items() if value is not None and not name.endswith("schema_version")}

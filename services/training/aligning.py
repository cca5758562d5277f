"""What alignment trains on: the pairs of a preference set, in the order of their file, or why they cannot be trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.training.spec import TrainingSpec
from services.training.stages.examples import Encoded
from services.training.stages.packing import Row
from services.training.stages.pairs import Pair, encode_pair, refuse_pairs, row_of
from shared.contracts.feedback import Preference
from shared.contracts.learning import Aligned, LossPoint
from shared.contracts.work import Rejected
from shared.objects import read_lines

MOST_HELD_OUT = 512
"""Held-out pairs that are measured at the end: an accuracy over so many is known to about 4 percentage points."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Pairs to train on, as rows, and of some to measure on the chosen and the rejected answer in turn."""

    rows: list[Row]
    heldout: tuple[Encoded, ...]


def pair_up(spec: TrainingSpec, tokenizer: Any) -> Paired | Rejected:
    """The run's preferences as token ids."""
    if spec.pairs is None or spec.heldout_pairs is None:
        return Rejected(
            reason="no-preferences",
            detail="The recipe learns from preferences, and the run names no preference set. Start it with one: "
            f"`lectern tune --align {spec.recipe.paired.method if spec.recipe.paired else 'dpo'} --preferences SET`.",
        )
    try:
        pairs = list(_pairs(spec.pairs, spec, tokenizer))
        heldout = [one for one in _pairs(spec.heldout_pairs, spec, tokenizer) if one.longest <= spec.recipe.max_tokens]
    except ValueError as error:
        return Rejected(reason="unreadable-preferences", detail=f"The preference set holds a line that is no pair: {error}")
    return refuse_pairs(pairs, spec.recipe) or Paired(
        [row_of(one) for one in pairs], tuple(answer for one in heldout[:MOST_HELD_OUT] for answer in one.answers)
    )


def _pairs(path: Path, spec: TrainingSpec, tokenizer: Any) -> Iterator[Pair]:
    for line in read_lines(path):
        yield encode_pair(Preference.model_validate(line), spec.template, tokenizer)


def aligned(spec: TrainingSpec, rows: int, heldout: int, last: LossPoint) -> Aligned | None:
    """What the last step's measuring found; None for a run that learns of no pairs."""
    if spec.recipe.paired is None:
        return None
    measured = {name: last.metrics.get(f"heldout_{name}") for name in ("accuracy", "margin", "mean", "deviation")}
    return Aligned(
        method=spec.recipe.paired.method, pairs=rows, heldout_pairs=heldout, heldout_accuracy=measured["accuracy"],
        heldout_margin=measured["margin"], reward_mean=measured["mean"], reward_deviation=measured["deviation"],
    )  # fmt: skip

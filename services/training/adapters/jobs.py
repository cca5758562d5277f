"""What travels between the processes of a job. Light to import: Ray's own processes load it too, and need no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from services.training.curves import append_point
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded
from services.training.stages.packing import Row
from services.training.stages.precision import Precision
from shared.contracts.base import Contract
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe

CURVE = "curve.jsonl"
FACTS = "facts.json"
"""Files of a checkpoint beside the trainer's own: the curve so far, and what else is known."""
CHOICE, CHOSEN = "choice.json", "chosen.safetensors"
"""Files of a last checkpoint where weights were chosen: why, and the adapter's weights as PEFT names them."""


class Diverged(ArithmeticError):
    """The loss is no longer a number."""


class Unscorable(Diverged):
    """A rule cannot score what the model says, so the run leads nowhere; the message says why."""


class Facts(Contract):
    """What is known of a run besides its curve, kept in every checkpoint."""

    trainable_parameters: int
    total_parameters: int
    precision: str
    device: str
    peak_memory_bytes: int
    attention: str
    packing: str
    resumed_from_step: int


@dataclass(frozen=True, slots=True)
class Continuing:
    """What a run is told that must keep what was learnt before. `earlier`: examples which tell what weights mattered;
    `choosing`: by held-out set, the examples that choose among checkpoints (none: the last it is); `new`: the set of what is
    learnt now."""

    earlier: tuple[Encoded, ...]
    choosing: Mapping[str, tuple[Encoded, ...]]
    new: str


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told. `heldout` are examples; where the recipe learns from pairs, the chosen and the rejected answer of
    each in turn. `judge`: the reward model (safetensors) that scores what is said."""

    run: str
    base_name: str
    recipe: TrainingRecipe
    precision: Precision
    settings: TrainingSettings
    threads: int
    work: Path
    packing: str = "none"
    heldout: tuple[Encoded, ...] = ()
    continuing: Continuing | None = None
    judge: bytes | None = None


@dataclass(frozen=True, slots=True)
class RowTable:
    """All rows as flat arrays: row i is `ids[ends[i-1]:ends[i]]`, and its examples have the lengths
    `lengths[counts[i-1]:counts[i]]`. Cheap to share between processes."""

    ids: np.ndarray[Any, np.dtype[np.int32]]
    labels: np.ndarray[Any, np.dtype[np.int32]]
    ends: np.ndarray[Any, np.dtype[np.int64]]
    lengths: np.ndarray[Any, np.dtype[np.int32]]
    counts: np.ndarray[Any, np.dtype[np.int64]]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "RowTable":
        return cls(
            ids=np.fromiter((token for one in rows for token in one.ids), np.int32),
            labels=np.fromiter((label for one in rows for label in one.labels), np.int32),
            ends=np.cumsum([len(one.ids) for one in rows], dtype=np.int64),
            lengths=np.fromiter((length for one in rows for length in one.lengths), np.int32),
            counts=np.cumsum([len(one.lengths) for one in rows], dtype=np.int64),
        )

    def examples(self) -> list[Encoded]:
        """The rows again, each as one example."""
        if not len(self.ends):  # nothing split is one piece of nothing
            return []
        cuts = self.ends[:-1]
        rows = zip(np.split(self.ids, cuts), np.split(self.labels, cuts), strict=True)
        return [Encoded(tuple(ids.tolist()), tuple(labels.tolist())) for ids, labels in rows]


class Sink(NamedTuple):
    """Where points of the curve go as they come: a class with `append(point)`, made into a Ray actor beside the driver."""

    actor: type[Any]
    arguments: tuple[Any, ...]


class PointFile:
    """Appends points to a file where the driver is, wherever the workers are: a Ray actor."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def append(self, point: dict[str, Any]) -> None:
        append_point(self._path, LossPoint.model_validate(point))

"""What a run's RayJob and the worker that watches it hand each other through the object store, since they share no disk.

All of it lies beside the run's checkpoints, and goes with them: once the run is evaluated, or called off because a document
was forgotten.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from services.training.adapters.jobs import Continuing, RowTable
from services.training.curves import append_point
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded
from services.training.stages.packing import Row
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.errors import NotFound
from shared.objects import ObjectStore, create_contract, open_store, read_contract

_ARRAYS = ("ids", "labels", "ends", "lengths", "counts")
_CURVE_SECONDS = 2.0


class ClusterJob(Contract):
    """What is trained, without what only the machine that trains can know."""

    run: str
    base_name: str
    recipe: TrainingRecipe
    packing: str


class Kept(Contract):
    """The held-out sets by which a continued run chooses its checkpoint, and which of them is of what is learnt now."""

    choosing: tuple[str, ...]
    new: str


class SignOfLife(Contract):
    """That somebody watches the run: a number that changes as long as somebody does."""

    told: int


@dataclass(frozen=True, slots=True)
class Rows:
    """What a run reads: rows to train on, examples to measure on; the adapter that it begins from, and what it must keep of
    what that one learnt, if any; the reward model that scores it."""

    table: RowTable
    heldout: tuple[Encoded, ...]
    begins_from: bytes | None = None
    continuing: Continuing | None = None
    judge: bytes | None = None


class Handover:
    """The objects of one run."""

    def __init__(self, store: ObjectStore, run: str) -> None:
        self._store = store
        self._root = f"{layout.checkpoints(run)}/rayjob"

    @property
    def curve(self) -> str:
        """The path of the live curve."""
        return f"{self._root}/live-curve.jsonl"

    def offer(self, job: ClusterJob, rows: Rows, scratch: Path) -> None:
        """Leave what the RayJob reads. `job.json` comes last: with it all of it is there."""
        self._put("rows.safetensors", _saved(rows, scratch / "rows.safetensors"))
        if rows.begins_from is not None:
            (scratch / "begins-from").write_bytes(rows.begins_from)
            self._put("begins-from.safetensors", scratch / "begins-from")
        if rows.judge is not None:
            (scratch / "judge").write_bytes(rows.judge)
            self._put("judge.safetensors", scratch / "judge")
        for name in ("refusal.json", "kept.json", "job.json"):
            self._store.delete(f"{self._root}/{name}")
        if rows.continuing is not None:
            kept = Kept(choosing=tuple(rows.continuing.choosing), new=rows.continuing.new)
            create_contract(self._store, f"{self._root}/kept.json", kept)
        create_contract(self._store, f"{self._root}/job.json", job)

    def taken(self, scratch: Path) -> tuple[ClusterJob, Rows]:
        """What was left. Raises NotFound where the run was called off meanwhile."""
        job = read_contract(self._store, f"{self._root}/job.json", ClusterJob)
        if job is None:
            raise NotFound("nothing was handed over for this run: it was called off, or is done")
        self._store.download(f"{self._root}/rows.safetensors", scratch / "rows.safetensors")
        kept = read_contract(self._store, f"{self._root}/kept.json", Kept)
        begins_from, judge = (self._weights(f"{name}.safetensors") for name in ("begins-from", "judge"))
        return job, _loaded(scratch / "rows.safetensors", begins_from, judge, kept)

    def refuse(self, rejected: Rejected) -> None:
        create_contract(self._store, f"{self._root}/refusal.json", rejected)

    def refusal(self) -> Rejected | None:
        return read_contract(self._store, f"{self._root}/refusal.json", Rejected)

    def give_sign(self, number: int, scratch: Path) -> None:
        path = scratch / "sign-of-life.json"
        path.write_text(SignOfLife(told=number).model_dump_json(), encoding="utf-8")
        self._put("sign-of-life.json", path)

    def sign(self) -> int | None:
        found = read_contract(self._store, f"{self._root}/sign-of-life.json", SignOfLife)
        return found.told if found else None

    def fetch_curve(self, target: Path) -> None:
        """The live curve so far as a local file, whole at every moment; nothing where there is none yet."""
        part = target.with_suffix(".part")
        try:
            self._store.download(self.curve, part)
        except NotFound:
            part.unlink(missing_ok=True)
            return
        part.replace(target)

    def _weights(self, name: str) -> bytes | None:
        try:
            return self._store.read(f"{self._root}/{name}")
        except NotFound:
            return None

    def _put(self, name: str, path: Path) -> None:
        self._store.upload(f"{self._root}/{name}", path)


class StoredPoints:
    """Appends points to a curve in the object store, at most every two seconds: a Ray actor beside the driver. The last
    points may be missing there; the curve that counts is the checkpoint's."""

    def __init__(self, settings: TrainingSettings, run: str, path: str) -> None:
        self._store = open_store(settings)
        self._object = Handover(self._store, run).curve
        self._path = Path(path)
        self._stored_at = 0.0

    def append(self, point: dict[str, Any]) -> None:
        append_point(self._path, LossPoint.model_validate(point))
        if time.monotonic() - self._stored_at >= _CURVE_SECONDS:
            self._store.upload(self._object, self._path)
            self._stored_at = time.monotonic()


def _saved(rows: Rows, path: Path) -> Path:
    tables = {"train": rows.table, "heldout": _flat(rows.heldout)}
    if rows.continuing is not None:
        tables["earlier"] = _flat(rows.continuing.earlier)
        tables |= {f"choosing.{name}": _flat(examples) for name, examples in rows.continuing.choosing.items()}
    save_file({f"{name}.{array}": getattr(table, array) for name, table in tables.items() for array in _ARRAYS}, path)
    return path


def _loaded(path: Path, begins_from: bytes | None, judge: bytes | None, kept: Kept | None) -> Rows:
    found = load_file(path)

    def table(name: str) -> RowTable:
        return RowTable(*(found[f"{name}.{array}"] for array in _ARRAYS))

    continuing = None if kept is None else Continuing(
        earlier=tuple(table("earlier").examples()), new=kept.new,
        choosing={name: tuple(table(f"choosing.{name}").examples()) for name in kept.choosing},
    )  # fmt: skip
    return Rows(table("train"), tuple(table("heldout").examples()), begins_from, continuing, judge)


def _flat(examples: Sequence[Encoded]) -> RowTable:
    return RowTable.of([Row(one.ids, one.labels, (len(one.ids),)) for one in examples])

"""A collection as one watches it: its documents' states, kept up to date by the events of their jobs."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from cli.api import Json

FINISHED = frozenset({"done", "failed", "dead", "cancelled"})
STAGES = ("extraction", "cleaning", "chunking", "screening")


@dataclass(frozen=True, slots=True)
class Row:
    """One document on its way."""

    job: str
    document: str
    filename: str
    stage: str
    state: str
    code: str | None = None
    detail: str | None = None
    done: int = 0
    total: int = 0
    unit: str = ""

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


@dataclass
class Shelf:
    """Rows by job. Events may come twice or late: `load` sets things right."""

    rows: dict[str, Row] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def load(self, documents: list[Json]) -> list[Row]:
        """Take the documents as the server lists them; returns the rows that are finished and were not returned before."""
        self.rows = {document["job"]: self._loaded(document) for document in documents}
        fresh = [row for job, row in self.rows.items() if row.finished and job not in self._told]
        self._told.update(row.job for row in fresh)
        return fresh

    def apply(self, event: Json) -> Row | None:
        """Take one event; returns the row as it is now, or None where it is of no document here."""
        row = self.rows.get(event["job"])
        if row is None:
            return None
        self.rows[row.job] = changed = replace(row, **_changes(event["kind"], event["data"]))
        return changed

    def _loaded(self, document: Json) -> Row:
        standing = self.rows.get(document["job"])
        row = Row(
            job=document["job"], document=document["id"], filename=document["filename"], stage=document["stage"],
            state=document["state"], code=document.get("code"), detail=document.get("detail"),
        )  # fmt: skip
        same = standing is not None and (standing.stage, standing.state) == (row.stage, row.state)
        return replace(row, done=standing.done, total=standing.total, unit=standing.unit) if same and standing else row

    @property
    def finished(self) -> bool:
        return all(row.finished for row in self.rows.values())

    def by_state(self) -> Counter[str]:
        return Counter(row.state for row in self.rows.values())

    def passed(self, stage: str) -> int:
        """How many documents have left a stage behind them."""
        later = STAGES[STAGES.index(stage) + 1 :]
        return sum(row.state == "done" or row.stage in later for row in self.rows.values())

    def at(self, stage: str) -> list[Row]:
        """The documents that a worker is at in a stage."""
        return [row for row in self.rows.values() if row.stage == stage and row.state == "running"]


def _changes(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    if kind == "queued":
        return {"state": "queued", "stage": data["stage"], "code": None, "detail": None, "done": 0, "total": 0}
    if kind == "stage":
        running = data["state"] == "running"
        stage = data["stage"] if running else _following(data["stage"])
        return {"stage": stage, "state": "running" if running else "queued", "done": 0, "total": 0}
    if kind == "progress":
        return {"done": data["done"], "total": data["total"], "unit": data["unit"], "stage": data["stage"], "state": "running"}
    if kind == "retry":
        return {"state": "waiting", "code": data.get("code"), "detail": data.get("detail")}
    if kind == "finished":
        return {"state": data["state"], "code": data.get("code"), "detail": data.get("detail")}
    return {}


def _following(stage: str) -> str:
    """The stage that a document waits for when this one is behind it."""
    later = STAGES[STAGES.index(stage) + 1 :] if stage in STAGES else ()
    return later[0] if later else stage

"""What Lectern asks of its catalog, and the values it gives and takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.contracts.documents import ProcessingParameters
from shared.contracts.keys import ApiKey
from shared.contracts.learning import DatasetWish, DeploymentWish, Model, RunWish
from shared.contracts.views import (
    CollectionView,
    DatasetView,
    DeploymentView,
    DocumentView,
    EventView,
    JobView,
    RunView,
    StageView,
)
from shared.contracts.work import Manifest, Progress, Work


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be put in the catalog, queued at `stage`."""

    id: str
    kind: str
    subject: str
    collection: str | None
    stage: str
    work: Work
    created_at: str


@dataclass(frozen=True, slots=True)
class JobWork:
    """A job as the runner and the recovery sweep see it. Times are seconds since 1970."""

    id: str
    stage: str
    state: str
    work: dict[str, Any]
    touched_at: float
    retry_at: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer remembered for an `Idempotency-Key`."""

    request_sha256: str
    status: int
    response: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list: items older than `before` (a `(created_at, id)` pair), newest first."""

    limit: int = 50
    before: tuple[str, str] | None = None


class Catalog(Protocol):
    """An index of the object store. Each method is one short transaction."""

    # collections and documents
    def put_collection(self, name: str, parameters: ProcessingParameters, sequence: int, created_at: str) -> None: ...
    def collection(self, name: str) -> CollectionView | None: ...
    def collections(self, part: Slice) -> list[CollectionView]: ...
    def put_document(self, collection: str, document: str, filename: str, size_bytes: int, added_at: str, job: str) -> None: ...
    def document(self, collection: str, document: str) -> DocumentView | None: ...
    def documents(
        self, part: Slice, collection: str | None = None, state: str | None = None, name: str | None = None
    ) -> list[DocumentView]:
        """`name`: only those whose file name holds this text, whatever its case."""

    def shelves_of(self, document: str) -> list[DocumentView]: ...
    def count_documents(self, collection: str) -> dict[str, int]:
        """Documents of a collection by state."""

    # jobs, as the runner and the sweep drive them
    def put_job(self, job: NewJob, anew: bool = False) -> bool:
        """Index a job as queued. One of that id stays as it is where it wants the same work, unless it is to start
        `anew`; where the work differs it is replaced, and whoever is at the old work finds itself superseded.
        True where the job was put."""

    def job(self, job: str) -> JobView | None: ...
    def jobs(self, part: Slice, kind: str | None = None, state: str | None = None) -> list[JobView]: ...
    def work(self, job: str) -> JobWork | None: ...
    def pending(self, limit: int = 10_000) -> list[JobWork]:
        """Jobs that are not finished, those unseen for longest first."""

    def begin_stage(self, work: Work, stage: str, key: str) -> int:
        """Mark a stage running; returns how many times it was begun since the job last moved on. 0: superseded."""

    def attempts(self, job: str) -> int: ...
    def touch(self, job: str, progress: Progress | None = None) -> bool:
        """A sign of life; returns whether the user called the job off."""

    def stage_done(self, work: Work, manifest: Manifest, then: str | None) -> bool:
        """Record a committed manifest and queue the job at `then`, or finish it. False: superseded, nothing recorded."""

    def retry_job(self, job: str, retry_at: float, code: str, detail: str) -> None: ...
    def finish_job(self, job: str, state: str, code: str | None, detail: str | None, at: str) -> None: ...
    def request_cancel(self, job: str) -> None: ...
    def requeued(self, job: str) -> None:
        """The message was put on the queue again: waiting becomes queued, and the clock starts anew."""

    def stages(self, job: str) -> tuple[StageView, ...]: ...
    def events(self, job: str, after: int, limit: int = 500) -> list[EventView]: ...
    def collection_events(self, collection: str, after: int, limit: int = 500) -> list[EventView]:
        """Events of all jobs of a collection, in order."""

    def latest_event(self) -> int:
        """The number of the newest event of all, 0 where there is none: who watches from here on misses nothing new."""

    def add_event(self, job: str, kind: str, data: dict[str, Any]) -> None: ...
    def count_jobs(self) -> dict[tuple[str, str], int]:
        """Jobs by `(kind, state)`."""

    # datasets, runs, models
    def put_dataset(self, wish: DatasetWish) -> None: ...
    def dataset(self, dataset: str) -> DatasetView | None: ...
    def datasets(self, part: Slice) -> list[DatasetView]: ...
    def put_run(self, wish: RunWish) -> None: ...
    def run(self, run: str) -> RunView | None: ...
    def runs(self, part: Slice) -> list[RunView]: ...
    def put_model(self, model: Model) -> None: ...
    def model(self, name_or_id: str) -> Model | None:
        """By id, or the newest of a name."""

    def models(self, part: Slice) -> list[Model]: ...

    # deployments
    def put_deployment(self, sequence: int, wish: DeploymentWish) -> None: ...
    def observe_deployment(
        self,
        name: str,
        state: str,
        detail: str | None = None,
        endpoint: str | None = None,
        served_model: str | None = None,
    ) -> None: ...
    def deployment(self, name: str) -> DeploymentView | None: ...
    def deployments(self) -> list[DeploymentView]: ...

    # keys and remembered answers
    def put_key(self, key: ApiKey) -> None: ...
    def key(self, key: str) -> ApiKey | None: ...
    def key_by_secret(self, secret_sha256: str) -> ApiKey | None: ...
    def keys(self) -> Sequence[ApiKey]: ...
    def remember(self, key: str, answer: Answer) -> None: ...
    def remembered(self, key: str) -> Answer | None: ...

    def ping(self) -> None:
        """Raises where the database does not answer."""

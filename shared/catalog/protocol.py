"""What Lectern asks of its catalog, and the values it gives and takes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.contracts.documents import ProcessingParameters
from shared.contracts.exports import ExportWish
from shared.contracts.feedback import Feedback
from shared.contracts.forgetting import ForgottenView, Receipt
from shared.contracts.keys import ApiKey, Deed, KeyUse
from shared.contracts.learning import DatasetWish, DeploymentWish, Model, RunWish
from shared.contracts.line_labels import LineWord
from shared.contracts.preferences import PreferenceSet
from shared.contracts.retention import Promotion
from shared.contracts.review import ClassifierWish, Label, Lane
from shared.contracts.views import (
    ClassifierView,
    CollectionView,
    DatasetHead,
    DatasetView,
    DeploymentView,
    DocumentView,
    EventView,
    ExportView,
    JobView,
    RunView,
    StageView,
    Standing,
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


@dataclass(frozen=True, slots=True)
class Placed:
    """A text to review, and the bytes `start:end` of the object `path` where it stands."""

    document: str
    id: str
    collection: str
    mark: str
    decision: str
    rule: str
    probability: float | None
    lane: str
    rank: float
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often one reviewer said this of a text and another that."""

    one: str
    other: str
    one_said: str
    other_said: str
    count: int


class Catalog(Protocol):
    """An index of the object store. Each method is one short transaction."""

    # collections and documents
    def put_collection(self, name: str, parameters: ProcessingParameters, sequence: int, created_at: str) -> None: ...
    def collection(self, name: str) -> CollectionView | None: ...
    def collections(self, part: Slice) -> list[CollectionView]: ...
    def put_document(self, collection: str, document: str, filename: str, size_bytes: int, added_at: str, job: str) -> None: ...
    def drop_document(self, collection: str, document: str, job: str) -> None:
        """Off one shelf: its place, its job and what is to be reviewed of it there."""

    def document(self, collection: str, document: str) -> DocumentView | None: ...
    def documents(
        self, part: Slice, collection: str | None = None, state: str | None = None, name: str | None = None
    ) -> list[DocumentView]:
        """`name`: only those whose file name holds this text, whatever its case."""

    def shelves_of(self, document: str) -> list[DocumentView]: ...
    def stages_on(self, collection: str) -> Iterator[tuple[str, tuple[StageView, ...]]]:
        """Each document of a collection with the stages it was taken through, in the order of their ids."""

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

    def restate(self, job: str, stage: str, result: dict[str, Any]) -> None:
        """A committed result was replaced: lines were taken out of a dataset."""

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

    def chores(self, collection: str | None = None) -> list[JobWork]:
        """Unfinished work of the gateway's own, the oldest first."""

    def begin_chore(self, job: str) -> bool:
        """Count an attempt. False where it was finished or called off, which nothing is changed of."""

    def let_go_chore(self, job: str, retry_at: float, code: str, detail: str) -> None:
        """It waits, and what was begun was no attempt."""

    def finish_chore(self, job: str, result: dict[str, Any], at: str) -> None: ...

    # datasets, runs, models
    def put_dataset(self, wish: DatasetWish) -> None: ...
    def dataset(self, dataset: str) -> DatasetView | None: ...
    def datasets(self, part: Slice) -> list[DatasetView]: ...
    def dataset_heads(self, part: Slice) -> list[DatasetHead]:
        """As `datasets`, without reading what each was made of."""

    def dataset_head(self, dataset: str) -> DatasetHead | None: ...
    def dataset_inputs(self, dataset: str, documents: Collection[str] | None = None, limit: int = 200) -> dict[str, str]:
        """Documents of a dataset and their file names, in the order of their ids; of these alone where they are named."""

    def datasets_of(self, document: str) -> list[str]:
        """Datasets that a document was an input of."""

    def put_run(self, wish: RunWish) -> None: ...
    def run(self, run: str) -> RunView | None: ...
    def runs(self, part: Slice) -> list[RunView]: ...
    def put_model(self, model: Model) -> None: ...
    def model(self, name_or_id: str) -> Model | None:
        """By id, or the newest of a name."""

    def models(self, part: Slice) -> list[Model]: ...
    def versions(self, name: str) -> list[Model]:
        """All of a name, oldest first."""

    def put_export(self, wish: ExportWish) -> None: ...
    def export(self, export: str) -> ExportView | None: ...
    def exports(self, model: str, part: Slice) -> list[ExportView]:
        """Of a model, by its id."""

    def put_promotion(self, promotion: Promotion) -> None: ...
    def promotions(self, names: Collection[str]) -> dict[str, Promotion]:
        """Of these names, those of which a version was promoted."""

    # review
    def put_reviewables(self, collection: str, document: str, found: Iterable[Placed]) -> None:
        """In place of what was known of the document on that shelf."""

    def reviewables(
        self,
        lane: Lane,
        limit: int,
        after: tuple[float, str] | None = None,
        collection: str | None = None,
        reviewer: str | None = None,
    ) -> list[Placed]:
        """Texts of a lane that nobody said anything of yet, lowest rank first, behind a `(rank, id)`. Those drawn by lot come
        to two reviewers: of them, those that `reviewer` said nothing of."""

    def reviewable(self, document: str, item: str) -> Placed | None:
        """An item of the only document whose id begins so."""

    def count_reviewables(self) -> tuple[int, int]:
        """Texts that the rules kept, and texts that they set aside."""

    def put_labels(self, labels: Iterable[tuple[int, Label]]) -> None:
        """Entries of series, in their order."""

    def labels(self, part: Slice, reviewer: str | None = None) -> list[tuple[str, int]]:
        """Document and sequence of reviewers' latest words, newest first. Positions are `(at, "<document>/<sequence>")`."""

    def labelled(self, documents: Iterable[str] | None = None) -> dict[str, int]:
        """The length of each document's series of labels, where it has one."""

    def count_labels(self) -> dict[tuple[str, str], int]:
        """Reviewers' latest words by `(reviewer, verdict)`."""

    def agreement(self) -> list[Agreement]:
        """Of texts that two reviewers said something of."""

    def put_line_words(self, words: Iterable[tuple[int, LineWord]]) -> None:
        """Entries of series, in their order."""

    def line_words(self, part: Slice, document: str | None = None) -> list[tuple[int, LineWord]]:
        """Reviewers' latest words on lines and their sequences, newest first. Positions are `(at, "<document>/<sequence>")`."""

    def line_words_of(self, document: str, extraction: str) -> list[tuple[int, LineWord]]:
        """All of a page map, page by page."""

    def line_worded(self) -> list[tuple[str, str]]:
        """Document and extraction of the page maps that anything was said of."""

    def put_feedback(self, feedback: Feedback) -> None: ...
    def all_feedback(self, part: Slice, model: str | None = None) -> list[Feedback]:
        """Latest words on answers, newest first. Positions are `(at, id)`."""

    def put_preferences(self, preferences: PreferenceSet) -> None: ...
    def preference_set(self, preferences: str) -> PreferenceSet | None: ...
    def preference_sets(self, part: Slice) -> list[PreferenceSet]:
        """Newest first. Positions are `(created_at, id)`."""

    def put_classifier(self, wish: ClassifierWish) -> None: ...
    def judge_classifier(self, classifier: str, adopted: bool) -> None: ...
    def classifier(self, classifier: str) -> ClassifierView | None: ...
    def classifiers(self, part: Slice) -> list[ClassifierView]: ...
    def standing_classifier(self) -> ClassifierView | None:
        """The newest version that was adopted."""

    # deployments
    def put_deployment(self, sequence: int, wish: DeploymentWish) -> None: ...
    def observe_deployment(
        self,
        name: str,
        state: str,
        detail: str | None = None,
        endpoints: Sequence[str] = (),
        served_model: str | None = None,
        serves: str | None = None,
        sequence: int | None = None,
    ) -> None:
        """What is observed of a deployment; only of the wish with that number where one is named."""

    def observe_canary(self, name: str, standing: Standing | None) -> None:
        """What is observed of a deployment's canary; None where it is gone."""

    def deployment(self, name: str) -> DeploymentView | None: ...
    def deployments(self, trials: bool = False) -> list[DeploymentView]:
        """By name; with those that tunings have up where `trials` are asked for, which are for no client."""

    def drop_trial(self, name: str, sequence: int | None = None) -> None:
        """Remove a trial, which is in no store; only as it was put under that number where one is named."""

    # keys and remembered answers
    def put_key(self, key: ApiKey) -> None: ...
    def key(self, key: str) -> ApiKey | None: ...
    def key_by_secret(self, secret_sha256: str) -> ApiKey | None: ...
    def keys(self) -> Sequence[ApiKey]: ...
    def admit(self, key: ApiKey, at: datetime) -> None:
        """Count a request to a model. Raises LimitReached where the key has asked for all it may, which counts nothing."""

    def count_use(self, key: str, day: str, use: KeyUse) -> None: ...
    def uses(self, at: datetime) -> dict[str, KeyUse]:
        """What each key has asked on the day of a time, by key; nothing of those that asked nothing."""

    def put_deed(self, deed: Deed) -> None: ...
    def deeds(self, part: Slice) -> list[Deed]:
        """The audit log, newest first."""

    def remember(self, key: str, answer: Answer) -> None: ...
    def remembered(self, key: str) -> Answer | None: ...
    def forget_answers(self, before: str) -> int:
        """Remove those remembered before a time; returns how many."""

    # forgetting
    def put_forgotten(self, document: str, state: str, job: str, receipt: Receipt | None, at: str) -> None:
        """Index a tombstone; a receipt's datasets and models are marked as having seen the document."""

    def forgotten(self, document: str) -> ForgottenView | None: ...
    def all_forgotten(self, part: Slice) -> list[ForgottenView]: ...
    def saw_forgotten(self, kind: str, subjects: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Of these datasets or models, the forgotten documents that each was trained on (or made of)."""

    def erase_document(self, document: str) -> int:
        """Remove every row of a document: its places, jobs, events, and remembered answers that name it."""

    def ping(self) -> None:
        """Raises where the database does not answer."""

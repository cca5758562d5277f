"""What users see of the nouns: the answers of the catalog, and so of the REST API."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.datasets import DatasetPreview
from shared.contracts.documents import ProcessingParameters
from shared.contracts.exports import ExportWish
from shared.contracts.keys import Allowance, KeyUse
from shared.contracts.learning import DatasetWish, DeploymentWish, Model, RunWish, WishHead
from shared.contracts.review import ClassifierWish
from shared.contracts.work import Progress

JobKind = Literal[
    "document",
    "dataset",
    "preview",
    "classifier",
    "run",
    "export",
    "deployment",
    "settings",
    "reindex",
    "forget",
    "tidy",
    "tuning",
]
JobState = Literal["queued", "running", "waiting", "done", "failed", "dead", "cancelled"]
"""waiting: will be tried again; failed: the input was refused; dead: given up after too many attempts."""

V = TypeVar("V", bound=Contract)

CHORES: tuple[JobKind, ...] = ("settings", "reindex", "forget", "tidy", "tuning")
"""What the gateway does itself, in no stage and from no queue."""

FINISHED: frozenset[str] = frozenset({"done", "failed", "dead", "cancelled"})


class StageView(Contract):
    """One stage of a job, as far as it has come."""

    stage: str
    key: str
    state: Literal["running", "done", "failed"]
    seconds: float | None = None
    finished_at: str | None = None
    result: dict[str, Any] = Field(default_factory=dict)


class JobView(Contract):
    """Long work to watch: a document, a dataset, a run or a deployment on its way."""

    id: str
    kind: JobKind
    subject: str
    collection: str | None = None
    stage: str
    state: JobState
    code: str | None = Field(None, description="Why it failed, for programs.")
    detail: str | None = Field(None, description="Why it failed and what to do, for people.")
    progress: Progress | None = None
    created_at: str
    finished_at: str | None = None
    result: dict[str, Any] | None = Field(
        None, description="What came of it, in numbers, where it leaves no result of a stage."
    )


class EventView(Contract):
    """One event of a job's life, numbered within the catalog."""

    id: int
    job: str
    at: str
    kind: str
    data: dict[str, Any]


class CollectionView(Contract):
    """A named shelf and its settings."""

    name: str
    parameters: ProcessingParameters
    created_at: str
    documents: int = 0
    states: dict[str, int] = Field(default_factory=dict, description="Documents by state; told of a single collection.")


class DocumentView(Contract):
    """A document on a shelf: what it is, how far it has come, and why it stopped where it did."""

    id: str
    collection: str
    filename: str
    size_bytes: int
    added_at: str
    state: JobState
    stage: str
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()


class DatasetView(Contract):
    """A dataset: immutable, named by its inputs."""

    id: str
    wish: DatasetWish
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()


class DatasetHead(Contract):
    """A dataset on a page: without the names of all its documents."""

    id: str
    head: WishHead
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()


class PreviewView(Contract):
    """What a dataset would hold, once `state` is done."""

    id: str
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    preview: DatasetPreview | None = None


class ClassifierView(Contract):
    """A version of the garbage classifier. `adopted` says whether it replaced the version before, once that is known."""

    id: str
    wish: ClassifierWish
    adopted: bool | None = None
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()


class RunView(Contract):
    """A training run."""

    id: str
    wish: RunWish
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()


class ExportView(Contract):
    """An export of a tuned model. Where the gate refused it, `code` is beyond-limit and the stage's result has the figures."""

    id: str
    wish: ExportWish
    state: JobState
    code: str | None = None
    detail: str | None = None
    job: str
    stages: tuple[StageView, ...] = ()
    files: dict[str, int] = Field({}, description="What can be downloaded once it is done, and how many bytes each is.")
    saw_forgotten: tuple[str, ...] = Field(
        (), description="Documents that its model was trained on and that were forgotten since."
    )


class Standing(Contract):
    """What is observed of a canary, as of a deployment."""

    state: Literal["pending", "starting", "ready", "failed", "stopping", "stopped"] = "pending"
    detail: str | None = None
    endpoints: tuple[str, ...] = ()
    served_model: str | None = None
    serves: str | None = None


class Guesses(Contract):
    """What engines guessed by speculation, counted since each began."""

    times: int = Field(description="So many times it guessed.")
    guessed: int = Field(description="Tokens guessed.")
    accepted: int = Field(description="Of them those that were what the model itself says.")

    acceptance: float | None = Field(description="Share of the guessed tokens that were accepted; none before the first guess.")


class DeploymentView(Contract):
    """A deployment: what was wished for and what is observed."""

    name: str
    sequence: int
    wish: DeploymentWish
    state: Literal["pending", "starting", "ready", "failed", "stopping", "stopped"]
    detail: str | None = None
    endpoints: tuple[str, ...] = Field((), description="Base URLs of the replicas that answer, for the gateway.")
    served_model: str | None = Field(None, description="The engine's own name for it: the adapter's content hash, or the base.")
    serves: str | None = Field(None, description="The tuned model, or the base alone, that answers just now.")
    canary: Standing | None = Field(None, description="What is observed of its canary, where it has one.")
    guessed: Guesses | None = Field(None, description="What its engines guessed, where they speculate and tell.")
    updated_at: str
    saw_forgotten: tuple[str, ...] = Field(
        (), description="Documents that the model was trained on and that were forgotten since."
    )


class ModelView(Model):
    """A model, whether its name means it, and what it must not be said to have forgotten."""

    promoted: bool = False
    saw_forgotten: tuple[str, ...] = Field((), description="Documents that it was trained on and that were forgotten since.")


class KeyView(Allowance):
    """An API key without its secret, and what it has used."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None = None
    today: KeyUse = KeyUse()


class ListPage(Contract, Generic[V]):
    """A page of a list; pass `next_cursor` as `cursor` for the one after."""

    items: tuple[V, ...]
    next_cursor: str | None = None

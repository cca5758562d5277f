"""The messages on the queues and the manifest that commits a stage's result."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import ProcessingParameters
from shared.contracts.learning import DatasetInput, DatasetParameters, EvaluationParameters


class Work(Contract):
    """A message on a queue. `job` is what users watch; `trace` follows the work through logs."""

    job: str
    trace: str


class DocumentWork(Work):
    """Take a document of a collection through its next stage. Self-contained: later settings do not reach it."""

    collection: str
    document: str
    parameters: ProcessingParameters


class DatasetWork(Work):
    """Assemble the dataset with that key."""

    dataset: str


class PreviewWork(Work):
    """Show what a dataset of these documents would hold. Self-contained, since no wish is written down for it."""

    base: str
    parameters: DatasetParameters
    inputs: tuple[DatasetInput, ...]
    of_documents: int
    examples: int


class ClassifierWork(Work):
    """Train the garbage classifier with that key."""

    classifier: str


class RunWork(Work):
    """Train, then evaluate, the run with that key."""

    run: str
    evaluation: EvaluationParameters = EvaluationParameters()
    answers: bool = Field(True, description="Whether what it makes answers, so that answers of it can be evaluated.")


class ExportWork(Work):
    """Make, compare and keep the export with that key."""

    export: str


class ChoreWork(Work):
    """Work that the gateway does itself, on facts rather than on documents' text: no stage, and on no queue."""

    chore: Literal["settings", "reindex", "forget", "tidy", "tuning"]
    subject: str = Field(
        "", description="The collection whose settings changed, the document to forget, the deployment to tune."
    )
    number: int = Field(0, description="Which tuning of the deployment.")
    older_seconds: float = Field(0, ge=0, description="What a tidying leaves alone: whatever is younger.")


class File(Contract):
    """One output of a stage."""

    path: str
    size_bytes: int
    sha256: str


class Rejected(Contract):
    """A bad input, told as data: what is wrong with it and what the user can do."""

    reason: str
    detail: str
    figures: dict[str, float] = Field({}, description="What was measured, where a measurement decided.")


class Manifest(Contract):
    """The commit of a stage: written last, created exclusively, so that whoever reads it reads a whole result."""

    stage: str
    stage_version: int
    key: str
    work: dict[str, object]
    files: dict[str, File] = {}
    result: dict[str, object] = {}
    rejected: Rejected | None = None
    redactions: tuple[str, ...] = Field((), description="Documents that were forgotten and whose lines were taken out of it.")
    started_at: str
    finished_at: str
    seconds: float


class JobEvent(Contract):
    """What happened to a job beyond its stages' manifests. The latest of the series `jobs/<job>/` counts, as long as the
    job still wants the result named `key`."""

    kind: Literal["dead", "cancelled", "requeued"]
    stage: str
    key: str
    code: str = ""
    detail: str = ""
    attempts: int = 0
    at: str
    trace: str


class Progress(Contract):
    """How far a stage has come, in its own unit."""

    done: int
    total: int
    unit: str
    fields: dict[str, float | int | str] = Field(default_factory=dict)

"""The flow, written down once.

    document → extraction → cleaning → chunking → screening → dataset → run (training → evaluation) → model → deployment

Beside it, what people say of the garbage trains the classifier that screening asks: labels → classifier → screening.
And a model may leave in other forms, for engines of other kinds: model → export.

A stage is a pure function of its parameters and inputs, so its result has a name derived from them. A deployment is
no stage: it is a wish that the serving service reconciles with what runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.contracts.base import Contract
from shared.contracts.datasets import PreviewResult
from shared.contracts.documents import (
    ChunkingResult,
    CleaningResult,
    ExtractionResult,
    ProcessingParameters,
    ScreeningParameters,
    ScreeningResult,
)
from shared.contracts.exports import ExportParameters, ExportResult
from shared.contracts.learning import (
    DatasetInput,
    DatasetParameters,
    DatasetResult,
    EvaluationResult,
    Model,
    Parent,
    RewardSource,
    TrainingResult,
)
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.review import ClassifierParameters, ClassifierResult, LabelSource
from shared.contracts.work import ClassifierWork, DatasetWork, DocumentWork, ExportWork, PreviewWork, RunWork, Work
from shared.keys import stage_key


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the flow. `key` names the result of a piece of work; `then` is the stage that follows in the same job."""

    name: str
    queue: str
    version: int
    work: type[Work]
    result: type[Contract]
    key: Callable[[Any], str]
    then: str | None = None


def extraction_key(document: str, parameters: ProcessingParameters) -> str:
    return stage_key("extraction", EXTRACTION.version, parameters.extraction, [document])


def cleaning_key(document: str, parameters: ProcessingParameters) -> str:
    return stage_key("cleaning", CLEANING.version, parameters.cleaning, [extraction_key(document, parameters)])


def chunking_key(document: str, parameters: ProcessingParameters) -> str:
    return stage_key("chunking", CHUNKING.version, parameters.chunking, [cleaning_key(document, parameters)])


def screening_key(document: str, parameters: ProcessingParameters) -> str:
    """The version of the classifier decides, not how it came to be chosen."""
    chosen = ScreeningParameters(classifier=parameters.screening.classifier)
    return stage_key("screening", SCREENING.version, chosen, [chunking_key(document, parameters)])


def dataset_key(base: str, parameters: DatasetParameters, inputs: tuple[DatasetInput, ...]) -> str:
    """Order of the documents does not matter; their names do, since examples mention them."""
    sources = sorted(f"{one.screening_key}:{one.labels}:{one.document}:{one.filename}" for one in inputs)
    return stage_key("dataset", DATASET.version, parameters, [base, *sources])


def preview_key(work: PreviewWork) -> str:
    """As a dataset's, of the few documents that are looked at."""
    sources = sorted(f"{one.screening_key}:{one.labels}:{one.document}:{one.filename}" for one in work.inputs)
    shown = [str(DATASET.version), work.base, str(work.of_documents), str(work.examples)]
    return stage_key("preview", PREVIEW.version, work.parameters, [*shown, *sources])


def classifier_key(
    parameters: ClassifierParameters, labels: tuple[LabelSource, ...], population: tuple[int, int], previous: str | None
) -> str:
    """The labels that people gave decide, and what the version is measured against and weighed by."""
    sources = sorted(f"{one.document}:{one.labels}" for one in labels)
    return stage_key("classifier", CLASSIFIER.version, parameters, [previous or "", f"{population}", *sources])


def training_key(
    dataset: str, recipe: TrainingRecipe, base_digest: str, parent: Parent | None = None, preferences: str | None = None,
    reward: RewardSource | None = None,
) -> str:  # fmt: skip
    """A run that starts from a tuned model is another one for each run that model came from, and for its weights; one that
    aligns, for the key of its preference set; one that a reward model scores, for that model's run and weights."""
    begins_from = [parent.run, parent.adapter_digest] if parent else []
    aligned_with = [preferences] if preferences else []
    scored_by = [f"reward:{reward.run}", reward.adapter_digest] if reward else []
    return stage_key("training", TRAINING.version, recipe, [dataset, base_digest, *begins_from, *aligned_with, *scored_by])


def evaluation_key(work: RunWork) -> str:
    return stage_key("evaluation", EVALUATION.version, work.evaluation, [work.run])


def export_key(model: Model, parameters: ExportParameters) -> str:
    """The run that made the adapter, and the adapter itself, decide."""
    return stage_key("export", EXPORT.version, parameters, [model.adapter_key, model.adapter_digest])


EXTRACTION = Stage(
    "extraction", queue="extraction", version=3, work=DocumentWork, result=ExtractionResult, then="cleaning",
    key=lambda work: extraction_key(work.document, work.parameters),
)  # fmt: skip
CLEANING = Stage(
    "cleaning", queue="cleaning", version=4, work=DocumentWork, result=CleaningResult, then="chunking",
    key=lambda work: cleaning_key(work.document, work.parameters),
)  # fmt: skip
CHUNKING = Stage(
    "chunking", queue="cleaning", version=2, work=DocumentWork, result=ChunkingResult, then="screening",
    key=lambda work: chunking_key(work.document, work.parameters),
)  # fmt: skip
SCREENING = Stage(
    "screening", queue="cleaning", version=1, work=DocumentWork, result=ScreeningResult,
    key=lambda work: screening_key(work.document, work.parameters),
)  # fmt: skip
DATASET = Stage(
    "dataset", queue="cleaning", version=2, work=DatasetWork, result=DatasetResult,
    key=lambda work: work.dataset,
)  # fmt: skip
PREVIEW = Stage(
    "preview", queue="cleaning", version=1, work=PreviewWork, result=PreviewResult,
    key=preview_key,
)  # fmt: skip
CLASSIFIER = Stage(
    "classifier", queue="cleaning", version=1, work=ClassifierWork, result=ClassifierResult,
    key=lambda work: work.classifier,
)  # fmt: skip
TRAINING = Stage(
    "training", queue="training", version=2, work=RunWork, result=TrainingResult, then="evaluation",
    key=lambda work: work.run,
)  # fmt: skip
EVALUATION = Stage(
    "evaluation", queue="training", version=2, work=RunWork, result=EvaluationResult,
    key=evaluation_key,
)  # fmt: skip
EXPORT = Stage(
    "export", queue="training", version=1, work=ExportWork, result=ExportResult,
    key=lambda work: work.export,
)  # fmt: skip

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (EXTRACTION, CLEANING, CHUNKING, SCREENING, CLASSIFIER, DATASET, PREVIEW, TRAINING, EVALUATION, EXPORT)
}

FIRST_STAGE: dict[type[Work], Stage] = {
    DocumentWork: EXTRACTION, ClassifierWork: CLASSIFIER, DatasetWork: DATASET, PreviewWork: PREVIEW,
    RunWork: TRAINING, ExportWork: EXPORT,
}  # fmt: skip


def following(stage: Stage, work: Work) -> str | None:
    """The stage that comes next in the job. A reward model is measured as it is trained: evaluation asks for answers."""
    if stage is TRAINING and isinstance(work, RunWork) and not work.answers:
        return None
    return stage.then


def chain(work: Work) -> tuple[Stage, ...]:
    """The stages that a piece of work passes through, in order."""
    stages = [FIRST_STAGE[type(work)]]
    while (then := following(stages[-1], work)) is not None:
        stages.append(STAGES[then])
    return tuple(stages)

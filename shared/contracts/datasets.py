"""What goes into a dataset beside its documents, and what is told of it: near-duplicates, a model's questions, replay."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.contracts.base import Contract

DatasetName = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class NearDuplicateParameters(Contract):
    """When one chunk says what another says already. The best copy stays."""

    threshold: float = Field(
        0.8, ge=0.5, le=1, description="Jaccard similarity of shingles from which a chunk is left out. 1: exact copies alone."
    )
    shingle_words: int = Field(5, ge=1, le=20, description="Words a shingle.")
    permutations: int = Field(
        128, ge=16, le=512, description="Hashes a MinHash signature. More find pairs near the threshold more surely."
    )


class DuplicateLink(Contract):
    """A chunk that was left out, and the one that stands for it."""

    duplicate: str
    duplicate_document: str
    kept: str
    kept_document: str
    similarity: float
    how: Literal["exact", "near"]


class ReplayParameters(Contract):
    """Examples of earlier datasets that are trained on again, so that what was learnt of them is kept."""

    datasets: tuple[DatasetName, ...] = Field((), max_length=64, description="Ids of datasets that are done.")
    share: float = Field(0.1, gt=0, le=0.9, description="Share of the training examples that are replayed ones, at most.")


class QaParameters(Contract):
    """Which model writes question-answer pairs, and what is asked of them. No secret stands here: `key` names one."""

    url: str | None = Field(
        None, max_length=2_000, pattern="^https?://",
        description="Base URL of an OpenAI-compatible API, ending in /v1. Left out: this Lectern's own, so that a deployed "
        "model writes them.",
    )  # fmt: skip
    model: str = Field("", max_length=200, description="The model's name there.")
    judge: str | None = Field(None, max_length=200, description="Another model that judges the pairs. Left out: the same.")
    key: str | None = Field(
        None, pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="The name of a key in the worker's LECTERN_ENDPOINT_KEYS."
    )
    pairs_per_chunk: int = Field(2, ge=1, le=10)
    max_chunks: int = Field(1_000, ge=1, description="Chunks that are asked about, drawn by seed.")
    grounded_share: float = Field(0.8, ge=0, le=1, description="Share of an answer's content words that the chunk must hold.")
    temperature: float = Field(0.2, ge=0, le=2)
    timeout_seconds: float = Field(120, gt=0, le=3_600, description="For one answer.")
    concurrent_requests: int = Field(4, ge=1, le=64)
    attempts: int = Field(5, ge=1, le=20, description="Tries of one request, with growing pauses, before the job waits.")


class WithQuestions(Contract):
    """Parameters that may ask for pairs have to say by which model."""

    recipes: tuple[Literal["continuation", "question", "qa"], ...] = Field(("continuation", "question"), min_length=1)
    qa: QaParameters | None = None

    @model_validator(mode="after")
    def _names_a_model(self) -> "WithQuestions":
        if "qa" in self.recipes and not (self.qa and self.qa.model):
            raise ValueError("the recipe qa needs a model that writes the pairs: set qa.model (and qa.url, qa.key)")
        return self


class DatasetVersion(Contract):
    """One dataset of a name's series; its number in the series is its version."""

    dataset: DatasetName
    created_at: str


class LengthBin(Contract):
    """How many examples have up to so many tokens (and more than the bin before)."""

    up_to: int
    train: int = 0
    heldout: int = 0


class PreviewExample(Contract):
    """An example as the model will see it: `prompt` is masked in training, `answer` and `eos` are learnt."""

    recipe: str
    prompt: str
    answer: str
    eos: str
    tokens: int
    filename: str
    pages: tuple[int, ...]


class PreviewResult(Contract):
    """What the stage says of itself; the preview is in `preview.json`."""

    documents: int
    examples: int


class DatasetPreview(Contract):
    """A dataset's beginnings, made of a few of its documents and kept as no dataset."""

    documents: int = Field(description="Documents that were looked at.")
    of_documents: int
    examples: tuple[PreviewExample, ...]
    made: int
    recipes: dict[str, int] = {}
    skipped: dict[str, int] = {}
    lengths: tuple[LengthBin, ...] = ()

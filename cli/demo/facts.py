"""What a demonstration found out: plain values, for the closing table and the report."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cli.lines import stage_of
from cli.talk import Answer


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """One document as it ended."""

    filename: str
    state: str
    pages: int
    pages_failed: int
    chunks: int
    garbage: dict[str, int]
    code: str | None
    detail: str | None
    personal: dict[str, int] = field(default_factory=dict)

    @property
    def garbage_items(self) -> int:
        return sum(self.garbage.values())


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to the question."""

    model: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Probe:
    """One prompt of the training format, and how the tuned model took it."""

    recipe: str
    instruction: str
    given: str
    expected: str
    answer: Answer

    @property
    def stopped(self) -> bool:
        return self.answer.finish_reason == "stop"


@dataclass(frozen=True, slots=True)
class Probes:
    """All prompts, asked at once; `seconds` from the first question to the last answer."""

    items: tuple[Probe, ...]
    split: str
    seconds: float

    @property
    def stopped(self) -> int:
        return sum(probe.stopped for probe in self.items)

    @property
    def tokens_per_second(self) -> float:
        return sum(probe.answer.tokens for probe in self.items) / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Facts:
    """Everything, as far as it has come."""

    pdfs: str
    documents: list[DocumentFact] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    dataset: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""
    base: str = ""
    question: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    probes: Probes | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pages(self) -> int:
        return sum(document.pages for document in self.documents)

    @property
    def done(self) -> int:
        return sum(document.state == "done" for document in self.documents)

    @property
    def failed(self) -> int:
        return len(self.documents) - self.done + len(self.refused)

    @property
    def chunks(self) -> int:
        return sum(document.chunks for document in self.documents)

    @property
    def garbage(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for document in self.documents:
            total.update(document.garbage)
        return total

    @property
    def personal(self) -> Counter[str]:
        """Personal data and secrets that were found, by kind."""
        total: Counter[str] = Counter()
        for document in self.documents:
            total.update(document.personal)
        return total


def document_fact(document: dict[str, Any]) -> DocumentFact:
    """The fact in a document as the server tells of it, with its stages."""
    extracted, cleaned, screened = (stage_of(document, stage) for stage in ("extraction", "cleaning", "screening"))
    return DocumentFact(
        filename=document["filename"],
        state=document["state"],
        pages=extracted.get("pages", 0),
        pages_failed=extracted.get("pages_failed", 0),
        chunks=screened.get("chunks", 0),
        garbage=screened.get("garbage", {}),
        code=document.get("code"),
        detail=document.get("detail"),
        personal=cleaned.get("personal", {}),
    )


def work_seconds(documents: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds that workers spent in each stage, over all documents."""
    spent: dict[str, float] = {}
    for document in documents:
        for stage in document["stages"]:
            spent[stage["stage"]] = spent.get(stage["stage"], 0.0) + (stage["seconds"] or 0.0)
    return spent

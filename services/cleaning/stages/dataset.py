"""Chunks → instruction examples, and which of them are held out. What the model learns to answer are whole sentences."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import Chunk, Span
from shared.contracts.learning import DatasetParameters, Example
from shared.keys import digest
from shared.template import render_prompt

TokenCount = Callable[[str], int]

EOS_TOKENS = 1
MAX_TITLE_CHARACTERS = 120
MIN_ANSWER_WORDS = 4

_TERMINAL = re.compile(r"[.!?][\"'”’)\]]*\Z")
_NUMBER = re.compile(
    r"\A(?:(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[A-Z](?:\.\d{1,2})*[.)]|[A-Z](?:\.\d{1,2})+|[IVX]{1,5}[.)])\s+)(?=\S)"
)
_PLAIN_SECTIONS = frozenset(
    {
        "abstract", "summary", "introduction", "background", "motivation", "overview", "method", "methods",
        "methodology", "approach", "results", "discussion", "conclusion", "conclusions", "evaluation", "experiments",
        "preface", "foreword", "appendix", "acknowledgements", "acknowledgments", "acknowledgement", "acknowledgment",
        "disclaimer", "limitations",
    }
)  # fmt: skip
_CONTROL_TOKEN = re.compile(r"<\|[^|>\s]{1,40}\|>|</?s>|\[/?INST\]|### (?:Instruction|Input|Response):")
"""Text that a tokenizer or the template would take for its own: a document must not speak in their name."""


@dataclass(frozen=True, slots=True)
class Source:
    """The document that examples come from."""

    document: str
    filename: str
    title: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Text that made no example, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Passage:
    """A chunk and its sentences."""

    chunk: Chunk
    sentences: tuple[tuple[int, int], ...]

    def text(self, first: int, end: int) -> str:
        """Sentences `first` up to, not including, `end`, as they stand in the chunk."""
        return self.chunk.text[self.sentences[first][0] : self.sentences[end - 1][1]]

    def spans(self, first: int, end: int) -> tuple[Span, ...]:
        left, right = self.sentences[first][0], self.sentences[end - 1][1]
        return tuple(span for span in self.chunk.spans if span.start < right and span.end > left)


def examples(
    source: Source, chunks: Iterable[Chunk], parameters: DatasetParameters, count: TokenCount
) -> Iterator[Example | Skipped]:
    """A document's examples, chunk by chunk, by every recipe asked for."""
    sections: set[tuple[str, ...]] = set()
    for chunk in chunks:
        if _CONTROL_TOKEN.search(chunk.text):
            yield Skipped("control-token")
            continue
        passage = _Passage(chunk, tuple(_sentences(chunk.text)))
        if "continuation" in parameters.recipes:
            yield from _continuations(source, passage, parameters, count)
        if "question" in parameters.recipes and chunk.section and chunk.section not in sections:
            yield from _question(source, passage, parameters, count)
        sections.add(chunk.section)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Sentences of a chunk; rows of tables are none."""
    for line in re.finditer(r"[^\n]+", text):
        if not line[0].startswith("|"):
            yield from ((line.start() + start, line.start() + end) for start, end in sentence_spans(line[0]))


def _continuations(
    source: Source, passage: _Passage, parameters: DatasetParameters, count: TokenCount
) -> Iterator[Example | Skipped]:
    """Every sentence of a chunk but the first is an answer once, given the sentences before it."""
    instruction = f'Continue this passage from "{_titled(source.title)}".'
    first = 1
    while first < len(passage.sentences):
        end = _answer_end(passage, first, parameters.max_answer_tokens, count)
        if isinstance(end, Skipped):
            yield end
            first += 1
            continue
        yield _fitted(source, passage, instruction, first, end, parameters, count)
        first = end


def _answer_end(passage: _Passage, first: int, budget: int, count: TokenCount) -> int | Skipped:
    """Where the longest answer from a sentence on ends: within the budget, and with the end of a sentence."""
    if count(passage.text(first, first + 1)) > budget:
        return Skipped("answer-too-long")
    best: int | None = None
    for end in range(first + 1, len(passage.sentences) + 1):
        text = passage.text(first, end)
        if count(text) > budget:
            break
        best = end if _TERMINAL.search(text) else best
    if best is None:
        return Skipped("no-sentence")
    if len(passage.text(first, best).split()) < MIN_ANSWER_WORDS:
        return Skipped("answer-too-short")
    return best


def _fitted(
    source: Source, passage: _Passage, instruction: str, first: int, end: int, parameters: DatasetParameters, count: TokenCount
) -> Example | Skipped:
    """As many sentences before the answer as fit."""
    answer = passage.text(first, end)
    for start in range(first):
        given = passage.text(start, first)
        if fits(instruction, given, answer, parameters, count):
            return _example(source, passage, "continuation", (instruction, given, answer), passage.spans(start, end))
    return Skipped("example-too-long")


def _question(
    source: Source, passage: _Passage, parameters: DatasetParameters, count: TokenCount
) -> Iterator[Example | Skipped]:
    """What a section says: the first sentences of its first chunk."""
    instruction = question(source.title, passage.chunk.section[-1])
    if not passage.sentences or not instruction:
        return
    end = _answer_end(passage, 0, parameters.max_answer_tokens, count)
    if isinstance(end, Skipped):
        yield end
        return
    answer = passage.text(0, end)
    if not fits(instruction, "", answer, parameters, count):
        yield Skipped("example-too-long")
        return
    yield _example(source, passage, "question", (instruction, "", answer), passage.spans(0, end))


def question(title: str, heading: str) -> str:
    """The question that a section answers; empty for a heading without words."""
    subject = _NUMBER.sub("", " ".join(heading.split())).rstrip(" .:")
    if sum(c.isalpha() for c in subject) < 3 or _CONTROL_TOKEN.search(subject):
        return ""
    if subject.casefold() in _PLAIN_SECTIONS:
        verb = "do" if subject.casefold().endswith("s") else "does"
        return f'What {verb} the {subject.casefold()} of "{_titled(title)}" say?'
    subject = subject.title() if subject.isupper() and len(subject) > 5 else subject
    return f'What does "{_titled(title)}" say about {_cut(subject)}?'


def _titled(title: str) -> str:
    return _cut(_CONTROL_TOKEN.sub("", " ".join(title.split())).replace('"', "'").rstrip(" :"))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TITLE_CHARACTERS else text[:MAX_TITLE_CHARACTERS].rsplit(" ", 1)[0] + " …"


def fits(instruction: str, given: str, answer: str, parameters: DatasetParameters, count: TokenCount) -> bool:
    """Whether prompt, answer and EOS are within the budget of an example."""
    prompt = render_prompt(parameters.template, instruction, given)
    return count(prompt + answer) + EOS_TOKENS <= parameters.max_example_tokens


def _example(source: Source, passage: _Passage, recipe: str, said: tuple[str, str, str], spans: tuple[Span, ...]) -> Example:
    instruction, given, answer = said
    return Example(
        id=digest([source.document, *said])[:16], instruction=instruction, input=given, output=answer, recipe=recipe,
        chunk=passage.chunk.id, document=source.document, filename=source.filename, spans=spans,
    )  # fmt: skip


def fingerprint(example: Example) -> bytes:
    """Equal for examples that say the same, whichever document they come from."""
    return hashlib.sha256("\x00".join((example.instruction, example.input, example.output)).encode()).digest()[:16]


def draw(seed: int, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the name."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64


def heldout_documents(documents: Sequence[str], parameters: DatasetParameters) -> frozenset[str]:
    """The share with the lowest draws, at least one and not all: another document moves at most one to the other side."""
    drawn = sorted(documents, key=lambda document: draw(parameters.seed, document))
    wanted = max(1, min(len(drawn) - 1, round(parameters.heldout_share * len(drawn))))
    return frozenset(drawn[:wanted])


def heldout_chunks(document: str, chunks: Sequence[str], parameters: DatasetParameters) -> frozenset[str]:
    """A run of neighbouring chunks: they share sentences, so that scattered ones would be half known from training."""
    if len(chunks) < 2:
        return frozenset()
    wanted = min(len(chunks) - 1, ceil(parameters.heldout_share * len(chunks)))
    start = int(draw(parameters.seed, document) * (len(chunks) - wanted + 1))
    return frozenset(chunks[start : start + wanted])

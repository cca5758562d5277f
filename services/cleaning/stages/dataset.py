"""Chunks → instruction examples. What the model learns to answer are whole sentences."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import Chunk, Span
from shared.contracts.learning import DatasetParameters, Example
from shared.keys import digest
from shared.template import PromptTemplate

TokenCount = Callable[[str], int]

EOS_TOKENS = 1
MAX_TITLE_CHARACTERS = 120
MIN_ANSWER_WORDS = 4
TOO_LONG = "example-too-long"

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
CONTROL_TOKEN = re.compile(r"<\|[^|>\s]{1,40}\|>|</?s>|\[/?INST\]|### (?:Instruction|Input|Response):")
"""Text that a tokenizer or the template would take for its own: a document must not speak in their name."""


@dataclass(frozen=True, slots=True)
class Source:
    """The document that examples come from."""

    document: str
    filename: str
    title: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What examples are made to: the wish's parameters, and the base model's tokens and template."""

    parameters: DatasetParameters
    count: TokenCount
    template: PromptTemplate

    def tokens(self, instruction: str, given: str, answer: str) -> int:
        """Prompt, answer and EOS together."""
        return self.count(self.template.prompt(instruction, given) + answer) + EOS_TOKENS


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


def examples(source: Source, chunks: Iterable[Chunk], terms: Terms) -> Iterator[Example | Skipped]:
    """A document's examples, chunk by chunk, by every recipe that needs no model."""
    sections: set[tuple[str, ...]] = set()
    for chunk in chunks:
        if CONTROL_TOKEN.search(chunk.text):
            yield Skipped("control-token")
            continue
        passage = _Passage(chunk, tuple(_sentences(chunk.text)))
        if "continuation" in terms.parameters.recipes:
            yield from _continuations(source, passage, terms)
        if "question" in terms.parameters.recipes and chunk.section and chunk.section not in sections:
            yield from _question(source, passage, terms)
        sections.add(chunk.section)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Sentences of a chunk; rows of tables are none."""
    for line in re.finditer(r"[^\n]+", text):
        if not line[0].startswith("|"):
            yield from ((line.start() + start, line.start() + end) for start, end in sentence_spans(line[0]))


def _continuations(source: Source, passage: _Passage, terms: Terms) -> Iterator[Example | Skipped]:
    """Every sentence of a chunk but the first is an answer once, given the sentences before it."""
    instruction = f'Continue this passage from "{titled(source.title)}".'
    first = 1
    while first < len(passage.sentences):
        end = _answer_end(passage, first, terms)
        if isinstance(end, Skipped):
            yield end
            first += 1
            continue
        yield _fitted(source, passage, instruction, first, end, terms)
        first = end


def _answer_end(passage: _Passage, first: int, terms: Terms) -> int | Skipped:
    """Where the longest answer from a sentence on ends: within the budget, and with the end of a sentence."""
    budget, count = terms.parameters.max_answer_tokens, terms.count
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


def _fitted(source: Source, passage: _Passage, instruction: str, first: int, end: int, terms: Terms) -> Example | Skipped:
    """As many sentences before the answer as fit."""
    answer = passage.text(first, end)
    for start in range(first):
        given = passage.text(start, first)
        said = (instruction, given, answer)
        made = example(source, passage.chunk, "continuation", said, passage.spans(start, end), terms)
        if isinstance(made, Example):
            return made
    return Skipped(TOO_LONG)


def _question(source: Source, passage: _Passage, terms: Terms) -> Iterator[Example | Skipped]:
    """What a section says: the first sentences of its first chunk."""
    instruction = question(source.title, passage.chunk.section[-1])
    if not passage.sentences or not instruction:
        return
    end = _answer_end(passage, 0, terms)
    if isinstance(end, Skipped):
        yield end
        return
    said = (instruction, "", passage.text(0, end))
    yield example(source, passage.chunk, "question", said, passage.spans(0, end), terms)


def question(title: str, heading: str) -> str:
    """The question that a section answers; empty for a heading without words."""
    subject = _NUMBER.sub("", " ".join(heading.split())).rstrip(" .:")
    if sum(c.isalpha() for c in subject) < 3 or CONTROL_TOKEN.search(subject):
        return ""
    if subject.casefold() in _PLAIN_SECTIONS:
        verb = "do" if subject.casefold().endswith("s") else "does"
        return f'What {verb} the {subject.casefold()} of "{titled(title)}" say?'
    subject = subject.title() if subject.isupper() and len(subject) > 5 else subject
    return f'What does "{titled(title)}" say about {_cut(subject)}?'


def titled(title: str) -> str:
    """A title as it may stand between quotation marks."""
    return _cut(CONTROL_TOKEN.sub("", " ".join(title.split())).replace('"', "'").rstrip(" :"))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TITLE_CHARACTERS else text[:MAX_TITLE_CHARACTERS].rsplit(" ", 1)[0] + " …"


def example(
    source: Source, chunk: Chunk, recipe: str, said: tuple[str, str, str], spans: tuple[Span, ...], terms: Terms
) -> Example | Skipped:
    """An example of an instruction, an input and an answer, where prompt, answer and EOS are within the budget."""
    instruction, given, answer = said
    tokens = terms.tokens(instruction, given, answer)
    if tokens > terms.parameters.max_example_tokens:
        return Skipped(TOO_LONG)
    return Example(
        id=digest([source.document, *said])[:16], instruction=instruction, input=given, output=answer, recipe=recipe,
        chunk=chunk.id, document=source.document, filename=source.filename, spans=spans, tokens=tokens,
    )  # fmt: skip

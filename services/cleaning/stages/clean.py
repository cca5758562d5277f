"""Pages → pieces of clean text. Every character of every block is kept, dropped (by kind), or set aside as garbage."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.cleaning.stages.boilerplate import MAX_WORDS, ends_title_block, is_boilerplate, is_keywords
from services.cleaning.stages.citations import CitationCount, CitationHabit, drop_citations
from services.cleaning.stages.garbage import Verdict, judge
from services.cleaning.stages.headers import MarginCount, running_kind
from services.cleaning.stages.references import ReferenceList, is_reference_title
from services.cleaning.stages.text_repair import repair
from services.cleaning.stages.title import TITLE_PAGES, TitleSearch
from shared.contracts.documents import Block, BlockKind, CleaningParameters, GarbageItem, Page, Piece
from shared.keys import digest

LINES_MATTER: frozenset[BlockKind] = frozenset({"table", "code", "formula"})

_BULLET = re.compile(r"\A[•‣◦▪●○■–−∙·*-]\s+")


@dataclass(frozen=True, slots=True)
class Habits:
    """What holds for a document as a whole, learned before any of it is cleaned."""

    recurring: frozenset[str] = frozenset()
    citations: CitationHabit = field(default_factory=CitationHabit)
    title: str | None = None


@dataclass(slots=True)
class Ledger:
    """Where the characters of a document went. `read` = `kept` + all that was dropped + all garbage."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    garbage_characters: int = 0
    garbage_items: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece, and what it adds to the clean MMD."""

    piece: Piece
    mmd: str


def habits(pages: Iterable[Page], parameters: CleaningParameters) -> Habits:
    """A first look at all pages, one at a time."""
    margins, citations = MarginCount(parameters), CitationCount()
    has_references = False
    title = TitleSearch()
    for page in pages:
        margins.add(page)
        for block in page.blocks:
            citations.add(block.text)
            has_references = has_references or is_reference_title(block.text)
            title.look_at(block, page.number)
    return Habits(margins.recurring(), citations.habit(has_references), title.found)


class Cleaner:
    """Cleans a document's pages in order. `ledger` accounts for all that was read so far."""

    def __init__(self, document: str, parameters: CleaningParameters, known: Habits) -> None:
        self.ledger = Ledger()
        self._document = document
        self._parameters = parameters
        self._habits = known
        self._references = ReferenceList()
        self._sections: list[tuple[int, str]] = []
        self._title_block = known.title is not None
        self._length = 0
        self._last: BlockKind | None = None
        self._taken = 0
        self._in_keywords = False

    def clean(self, page: Page) -> Iterator[Kept | GarbageItem]:
        """What remains of a page and what is set aside, in reading order."""
        self._title_block = self._title_block and page.number <= TITLE_PAGES
        for block in page.blocks:
            self.ledger.read += len(block.text)
            fate = self._dropped_as(block, page)
            if fate is not None:
                self.ledger.dropped[fate] += len(block.text)
            else:
                yield from self._keep_or_set_aside(block, page)

    def _dropped_as(self, block: Block, page: Page) -> str | None:
        running = running_kind(block, page, self._habits.recurring, self._parameters.margin_share)
        if running is not None:
            return running
        if self._references.holds(block) and self._parameters.drop_references:
            return "references"
        in_keywords, self._in_keywords = self._in_keywords, block.kind == "heading" and is_keywords(block.text)
        if self._parameters.drop_boilerplate:
            if self._in_keywords or (in_keywords and block.kind == "paragraph" and len(block.text.split()) <= MAX_WORDS):
                return "boilerplate"
            if is_boilerplate(block, self._title_block):
                return "boilerplate"
            self._title_block = self._title_block and not ends_title_block(block)
        return None

    def _keep_or_set_aside(self, block: Block, page: Page) -> Iterator[Kept | GarbageItem]:
        text = self._mended(block)
        left = len(block.text) - self._taken
        verdict = judge(block.kind, text, self._parameters) if text else None
        if verdict is not None:
            self.ledger.garbage_characters += left
            self.ledger.garbage_items[verdict.reason] += 1
            yield self._garbage(block, page, text, verdict)
        elif text:
            self.ledger.kept += left
            yield self._kept(block, page, text)

    def _mended(self, block: Block) -> str:
        """The text of a block as it will stand. What is taken out of it is dropped, by kind."""
        lines_matter = block.kind in LINES_MATTER
        repaired = repair(block.text, keep_lines=lines_matter)
        removed, text = repaired.removed, repaired.text
        if block.kind == "list" and (bullet := _BULLET.match(text)):
            removed["bullet"] += bullet.end()
            text = text[bullet.end() :]
        if self._parameters.drop_citations and not lines_matter and block.kind != "heading":
            text, taken = drop_citations(text, self._habits.citations)
            removed["citation"] += taken
        self.ledger.dropped.update(+removed)
        self._taken = removed.total()
        return text

    def _garbage(self, block: Block, page: Page, text: str, verdict: Verdict) -> GarbageItem:
        name = digest([self._document, page.number, block.start, block.text])[:16]
        return GarbageItem(
            id=name, document=self._document, text=text, reason=verdict.reason,
            score=verdict.score, threshold=verdict.threshold, page=page.number, box=block.box,
        )  # fmt: skip

    def _kept(self, block: Block, page: Page, text: str) -> Kept:
        if block.kind == "heading":
            self._enter(block.level, text)
        before, after = _markup(block, text)
        gap = "" if not self._length else "\n" if block.kind == self._last == "list" else "\n\n"
        start = self._length + len(gap) + len(before)
        mmd = gap + before + text + after
        self._length += len(mmd)
        self._last = block.kind
        section = tuple(name for _, name in self._sections)
        piece = Piece(
            text=text, kind=block.kind, page=page.number, box=block.box,
            start=start, end=start + len(text), section=section,
        )  # fmt: skip
        return Kept(piece, mmd)

    def _enter(self, level: int, text: str) -> None:
        """A heading opens a section. The document's title opens none; the first other heading ends the title block."""
        if text == self._habits.title and not self._sections:
            return
        self._title_block = False
        while self._sections and self._sections[-1][0] >= level:
            self._sections.pop()
        self._sections.append((level, text))


def _markup(block: Block, text: str) -> tuple[str, str]:
    """What stands around a text in the clean MMD."""
    if block.kind == "heading":
        return "#" * max(1, block.level) + " ", ""
    if block.kind == "list" and not text[:1].isdigit() and not text.startswith("("):
        return "- ", ""
    if block.kind == "code":
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        return f"{fence}\n", f"\n{fence}"
    return "", ""

"""Pages → pieces of clean text. Every character of every block is kept, dropped (by kind), or set aside as garbage."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.cleaning.stages.citations import drop_citations
from services.cleaning.stages.garbage import Memory, Verdict, judge
from services.cleaning.stages.habits import Habits
from services.cleaning.stages.hostile import flags_of
from services.cleaning.stages.mojibake import mended
from services.cleaning.stages.page_lines import WHOLE, Part, parts
from services.cleaning.stages.personal import masked
from services.cleaning.stages.tagging import TaggedPage
from services.cleaning.stages.text_repair import repair
from shared.contracts.documents import (
    Block,
    BlockKind,
    CleaningParameters,
    Fate,
    GarbageItem,
    LineFate,
    LineLabel,
    Page,
    Piece,
)
from shared.keys import digest

_BULLET = re.compile(r"\A[•‣◦▪●○■–−∙·*-]\s+")


@dataclass(slots=True)
class Ledger:
    """Where the characters of a document went: `read` = `kept` + all that was dropped + all garbage. And so its lines."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    garbage_characters: int = 0
    garbage_items: Counter[str] = field(default_factory=Counter)
    lines_read: int = 0
    lines: Counter[Fate] = field(default_factory=Counter)
    personal: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece, and what it adds to the clean MMD."""

    piece: Piece
    mmd: str


class Cleaner:
    """Cleans a document's pages in order: a line's label, or the verdict on the text it is in, decides its fate. `ledger`
    accounts for all that was read so far; `title` is the document's, masked like any text."""

    def __init__(self, document: str, parameters: CleaningParameters, known: Habits) -> None:
        self.ledger = Ledger()
        self.title = masked(known.title, parameters)[0] if known.title else None
        self._document = document
        self._parameters = parameters
        self._habits = known
        self._leaving = leaving(parameters)
        self._sections: list[tuple[int, str]] = []
        self._memory = Memory()
        self._length = 0
        self._last: BlockKind | None = None

    def clean(self, tagged: TaggedPage) -> Iterator[Kept | GarbageItem | LineFate]:
        """What remains of a page, what is set aside, and what became of each line, in reading order."""
        page = tagged.page
        for number, (block, lines, tags) in enumerate(zip(page.blocks, tagged.lines, tagged.tags, strict=True)):
            self.ledger.read += len(block.text)
            self.ledger.lines_read += len(lines)
            for part in parts(block, lines, tags, self._leaving, self._parameters.min_label_confidence):
                made, fate, reason = self._decided(part, page)
                if made is not None:
                    yield made
                self.ledger.lines[fate] += len(part.lines)
                yield from _fates(part, page.number, number, fate, reason)

    def _decided(self, part: Part, page: Page) -> tuple[Kept | GarbageItem | None, Fate, str]:
        """What a part becomes, its fate, and why."""
        block = part.block
        if part.leaves is not None:
            self.ledger.dropped[part.leaves] += len(block.text)
            return None, "dropped", part.leaves
        text, removed, personal = self._mended(block)
        self.ledger.dropped.update(removed)
        left = len(block.text) - removed.total()
        if not text:
            self.ledger.kept += left
            return None, "dropped", max(removed, key=lambda kind: removed[kind], default="empty")
        flags = flags_of(block.text, text, personal, self._parameters)
        if (verdict := judge(block.kind, text, self._parameters, self._memory)) is not None:
            self.ledger.garbage_characters += left
            self.ledger.garbage_items[verdict.reason] += 1
            return self._garbage(block, page, text, verdict, flags), "set-aside", verdict.reason
        self.ledger.kept += left
        return self._kept(block, page, text, flags), "kept", ""

    def _mended(self, block: Block) -> tuple[str, Counter[str], Counter[str]]:
        """The text of a block as it will stand, characters that were taken out by kind, and the personal data it held."""
        lines_matter = block.kind in WHOLE
        repaired = repair(mended(block.text), keep_lines=lines_matter)
        removed, text = repaired.removed, repaired.text
        if block.kind == "list" and (bullet := _BULLET.match(text)):
            removed["bullet"] += bullet.end()
            text = text[bullet.end() :]
        if self._parameters.drop_citations and not lines_matter and block.kind != "heading":
            text, taken = drop_citations(text, self._habits.citations)
            removed["marker"] += taken
        text, personal, hidden = masked(text, self._parameters)
        removed["personal"] += hidden
        self.ledger.personal.update(personal)
        return text, +removed, personal

    def _garbage(self, block: Block, page: Page, text: str, verdict: Verdict, flags: tuple[str, ...]) -> GarbageItem:
        name = digest([self._document, page.number, block.start, block.text])[:16]
        return GarbageItem(
            id=name, document=self._document, text=text, reason=verdict.reason,
            score=verdict.score, threshold=verdict.threshold, page=page.number, box=block.box,
            kind=block.kind, flags=flags,
        )  # fmt: skip

    def _kept(self, block: Block, page: Page, text: str, flags: tuple[str, ...]) -> Kept:
        self.ledger.flags.update(flags)
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
            start=start, end=start + len(text), section=section, flags=flags,
        )  # fmt: skip
        return Kept(piece, mmd)

    def _enter(self, level: int, text: str) -> None:
        """A heading opens a section. The document's title opens none."""
        if text == self.title and not self._sections:
            return
        while self._sections and self._sections[-1][0] >= level:
            self._sections.pop()
        self._sections.append((level, text))


def leaving(parameters: CleaningParameters) -> frozenset[LineLabel]:
    """The labels whose lines leave the text."""
    chosen: dict[LineLabel, bool] = {
        "header": True, "footer": True, "page_number": True,
        "citation": parameters.drop_references, "boilerplate": parameters.drop_boilerplate,
        "figure_caption": parameters.drop_captions, "table": parameters.drop_tables,
        "equation": parameters.drop_equations, "footnote": parameters.drop_footnotes,
    }  # fmt: skip
    return frozenset(label for label, leaves in chosen.items() if leaves)


def _fates(part: Part, page: int, block: int, fate: Fate, reason: str) -> Iterator[LineFate]:
    for number, (line, tag) in enumerate(zip(part.lines, part.tags, strict=True), part.first):
        yield LineFate(
            page=page, block=block, line=number, text=line.text, box=line.box,
            label=tag.label, fate=fate, reason=reason, confidence=tag.confidence,
        )  # fmt: skip


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

"""Words → segments (runs of words along one line) → rows (what stands side by side)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from services.extraction.stages.direction import is_right_to_left
from services.extraction.stages.formulas import with_formulas
from services.extraction.stages.glyphs import RawPage, Word
from services.extraction.stages.grid import Grid
from services.extraction.stages.letterspacing import with_letters_joined
from services.extraction.stages.spelling import spelled
from shared.contracts.documents import Box, Line

WIDE_GAP_EM = 1.8
"""A gap wider than this is no space between words: it parts columns or cells."""

SMALLEST = 0.1
"""Text of no size (in points) is given this one, so that shares of it can be told."""

MOSTLY = 0.7
_PLAIN = re.compile(r"[\"'(]?[A-Za-z]+(?:[-'][A-Za-z]+)*[.,;:!?)\"']{0,2}|[\d.,]+")

JOIN_GAP_EM = 0.8
"""Segments nearer than this on one line belong together (superscripts, changes of font)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Words along one line with no wide gap between them."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    size: float
    bold: bool
    mono: bool
    words: int
    hyphenated: bool
    run: tuple[Word, ...] = ()
    table: "Table | None" = None
    """Set where the segment stands for a whole table."""

    @property
    def box(self) -> Box:
        return (round(self.left, 1), round(self.top, 1), round(self.right, 1), round(self.bottom, 1))


@dataclass(frozen=True)
class Row:
    """Segments on one baseline, from left to right: a line of prose has one, a table's row has several.

    What a row is asked for again and again is worked out once.
    """

    cells: tuple[Segment, ...]

    @cached_property
    def text(self) -> str:
        if len(self.cells) == 1:
            return self.cells[0].text
        if any(is_right_to_left(cell.text) for cell in self.cells):
            return " ".join(cell.text for cell in reversed(self.cells))
        return " ".join(cell.text for cell in self.cells)

    @property
    def left(self) -> float:
        return self.cells[0].left

    @cached_property
    def right(self) -> float:
        return max([cell.right for cell in self.cells])

    @cached_property
    def top(self) -> float:
        return min([cell.top for cell in self.cells])

    @cached_property
    def bottom(self) -> float:
        return max([cell.bottom for cell in self.cells])

    @property
    def baseline(self) -> float:
        return self.cells[0].baseline

    @cached_property
    def size(self) -> float:
        return max(self.cells, key=lambda cell: len(cell.text)).size

    @cached_property
    def bold(self) -> bool:
        return all(cell.bold for cell in self.cells)

    @property
    def mono(self) -> bool:
        return all(cell.mono for cell in self.cells)

    @property
    def hyphenated(self) -> bool:
        return self.cells[-1].hyphenated

    def line(self) -> Line:
        box = (round(self.left, 1), round(self.top, 1), round(self.right, 1), round(self.bottom, 1))
        return Line(text=self.text, box=box, font_size=round(self.size, 1))


@dataclass(frozen=True, slots=True)
class Table:
    """A grid, and the rows of text that it was made of."""

    grid: Grid
    rows: tuple[Row, ...]

    def segment(self) -> Segment:
        """The table as one piece of its page."""
        cells = [cell for row in self.rows for cell in row.cells]
        return Segment(
            text=self.rows[0].text,
            left=min(cell.left for cell in cells),
            top=min(cell.top for cell in cells),
            right=max(cell.right for cell in cells),
            bottom=max(cell.bottom for cell in cells),
            baseline=self.rows[0].baseline,
            size=self.rows[0].size,
            bold=False,
            mono=False,
            words=sum(cell.words for cell in cells),
            hyphenated=False,
            table=self,
        )


def page_segments(page: RawPage) -> list[Segment]:
    """The segments of a page, found once."""
    found: list[Segment] | None = page.memo.get("segments")
    if found is None:
        found = page.memo["segments"] = segments(with_formulas(_prepared(page.words), page.rules))
    return found


def _prepared(words: Sequence[Word]) -> Sequence[Word]:
    """Letters set apart joined; where a page's prose is typewritten, its font says nothing of code."""
    if any(word.size < SMALLEST for word in words):
        words = [word._replace(size=max(word.size, SMALLEST)) for word in words]
    words = with_letters_joined(words)
    mono = [word for word in words if word.mono]
    if len(mono) > MOSTLY * len(words) and sum(_PLAIN.fullmatch(word.text) is not None for word in mono) > MOSTLY * len(mono):
        return [word._replace(mono=False) for word in words]
    return words


def segments(words: Sequence[Word]) -> list[Segment]:
    """Runs of words, in the order of the content stream; pieces of one line that the parser tore apart are joined."""
    if not words:
        return []
    last = words[0]
    run = [last]
    runs = [run]
    for word in words[1:]:
        if _goes_on(last, word):
            run.append(word)
        else:
            run = [word]
            runs.append(run)
        last = word
    return [_segment(run) for run in runs]


def _gap(last: Word, word: Word) -> float:
    """White between a word and the one before it, in the direction in which they are read."""
    if word.right <= last.left and is_right_to_left(word.text) and is_right_to_left(last.text):
        return last.left - word.right
    return word.left - last.right


def _goes_on(last: Word, word: Word) -> bool:
    """Whether a word stands beside the one before it; where the parser began a new line with it, it must stand close."""
    em = last.size if last.size > word.size else word.size
    gap = _gap(last, word)
    near = -0.3 * em < gap < JOIN_GAP_EM * em if word.starts_line else -em <= gap <= WIDE_GAP_EM * em
    return near and _beside(last, word)


def _beside(one: Word, other: Word) -> bool:
    top, bottom = one.top, one.bottom
    top2, bottom2 = other.top, other.bottom
    overlap = (bottom if bottom < bottom2 else bottom2) - (top if top > top2 else top2)
    height, height2 = bottom - top, bottom2 - top2
    return overlap >= 0.4 * (height if height < height2 else height2)


def _segment(run: Sequence[Word]) -> Segment:
    if len(run) == 1:
        word = run[0]
        return Segment(
            word.text, word.left, word.top, word.right, word.bottom, word.baseline, word.size, word.bold, word.mono,
            1, word.hyphenated, (word,),
        )  # fmt: skip
    weights: dict[tuple[float, float], int] = {}
    bold = mono = total = spaced = 0
    for word in run:
        count = len(word.text)
        key = (word.size, word.baseline)
        weights[key] = weights.get(key, 0) + count
        total += count
        bold += count * word.bold
        mono += count * word.mono
        spaced += word.spaced
    size, baseline = max(weights, key=lambda key: (weights[key], key))
    return Segment(
        text=spelled(run),
        left=min([word.left for word in run]),
        top=min([word.top for word in run]),
        right=max([word.right for word in run]),
        bottom=max([word.bottom for word in run]),
        baseline=baseline,
        size=size,
        bold=bold >= 0.7 * total,
        mono=mono >= 0.7 * total,
        words=spaced + (not run[0].spaced),
        hyphenated=run[-1].hyphenated,
        run=tuple(run),
    )


def rows(pieces: Iterable[Segment]) -> list[Row]:
    """Segments from top to bottom, those on one baseline side by side."""
    grouped: list[list[Segment]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.left)):
        if grouped and _on_one_line(grouped[-1][0], piece):
            grouped[-1].append(piece)
        else:
            grouped.append([piece])
    return [Row(tuple(_mended(sorted(group, key=lambda piece: piece.left)))) for group in grouped]


def _on_one_line(one: Segment, other: Segment) -> bool:
    if one.table or other.table:
        return False
    return abs(one.baseline - other.baseline) <= 0.35 * max(one.size, other.size)


def _mended(group: list[Segment]) -> list[Segment]:
    """Neighbours that are only a space apart are one segment after all."""
    mended = [group[0]]
    for piece in group[1:]:
        last = mended[-1]
        if piece.left - last.right < JOIN_GAP_EM * max(piece.size, last.size):
            mended[-1] = _joined(last, piece)
        else:
            mended.append(piece)
    return mended


def _joined(one: Segment, other: Segment) -> Segment:
    longer = one if len(one.text) >= len(other.text) else other
    space = " " if other.left - one.right > 0.15 * longer.size else ""
    backwards = is_right_to_left(one.text) and is_right_to_left(other.text)
    return Segment(
        text=(f"{other.text}{space}{one.text}" if backwards else f"{one.text}{space}{other.text}").replace("$$", "$"),
        left=min(one.left, other.left),
        top=min(one.top, other.top),
        right=max(one.right, other.right),
        bottom=max(one.bottom, other.bottom),
        baseline=longer.baseline,
        size=longer.size,
        bold=one.bold and other.bold,
        mono=one.mono and other.mono,
        words=one.words + other.words,
        hyphenated=other.hyphenated,
        run=(*one.run, *other.run),
    )

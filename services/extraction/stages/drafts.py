"""Rows of a column → drafts: runs of rows that belong together, not yet told apart as heading or paragraph."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from services.extraction.stages.lines import Row, Table

DraftKind = Literal["text", "list", "table", "code", "formula"]

BULLETS = "•‣⁃◦▪▫●○■□∙➢➤✓✔❖\u0080-\u009f\ue000-\uf8ff"
"""Marks that begin an item, for a class of a regular expression; unnamed glyphs of symbol fonts are among them."""

_SURE_BULLETS = re.compile(f"[{BULLETS}]")
_BULLET = re.compile(rf"(?:[{BULLETS}–−·*-]|\(?\d{{1,2}}[.)]|\(?[a-z][.)])\s+\S")
_CAPTION = re.compile(r"(?:Figure|Fig\.?|Table|Listing|Algorithm)\s*[A-Z]?\d+", re.IGNORECASE)
_TERMINAL = re.compile(r"[.!?:][\"'”’)\]]*\Z")
_ENTRY = re.compile(r"(?:\.\s?){5,}\s*[\divxlc]+\Z", re.IGNORECASE)
"""The end of a line of a table of contents: dots that lead the eye to a page."""

MIN_TABLE_ROWS = 3
MAX_BRIDGED_ROWS = 2


@dataclass(frozen=True, slots=True)
class Draft:
    """Rows that belong together."""

    kind: DraftKind
    rows: tuple[Row, ...]
    table: Table | None = None

    @property
    def size(self) -> float:
        return max(self.rows, key=lambda row: len(row.text)).size

    @property
    def bold(self) -> bool:
        return all(row.bold for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Column:
    """What is usual in a column: its edges and the distance between baselines."""

    left: float
    right: float
    pitch: float
    size: float


def drafts(column: Sequence[Row]) -> list[Draft]:
    """Parts a column's rows, from top to bottom."""
    usual = _usual(column)
    result: list[Draft] = []
    for kind, run in _kinds(column):
        if (table := run[0].cells[0].table) is not None:
            result.append(Draft("table", table.rows, table))
        elif kind in ("table", "code", "formula"):
            result.append(Draft(kind, tuple(run)))
        else:
            result += _paragraphs(run, usual)
    return result


def _usual(column: Sequence[Row]) -> _Column:
    size = median(row.size for row in column)
    steps = [below.baseline - above.baseline for above, below in pairwise(column) if abs(above.size - below.size) < 0.5]
    steps = [step for step in steps if 0.5 * size < step < 3 * size]
    rights = sorted(row.right for row in column)
    return _Column(
        left=median(row.left for row in column),
        right=rights[int(0.9 * (len(rights) - 1))],
        pitch=min(median(steps), 2.2 * size) if steps else 1.2 * size,
        size=size,
    )


def _kinds(column: Sequence[Row]) -> Iterator[tuple[DraftKind, list[Row]]]:
    """Runs of rows that are a table's, code, or text."""
    tabular = _tabular(column)
    kinds = _code_bridged([_kind(row, flag) for row, flag in zip(column, tabular, strict=True)], column)
    kinds = [_in_sentence(index, kinds, column) or kind for index, kind in enumerate(kinds)]
    start = 0
    while start < len(column):
        kind = kinds[start]
        end = start + 1
        while not _alone(column[start]) and end < len(column) and kinds[end] == kind and not _alone(column[end]):
            end += 1
        lone = kind == "code" and end - start == 1 and len(column[start].text.split()) > 12
        yield "text" if lone else kind, list(column[start:end])
        start = end


def _kind(row: Row, tabular: bool) -> DraftKind:
    if is_display(row.cells[0].text):
        return "formula"
    if row.cells[0].table is not None:
        return "table"
    if row.mono and not _SURE_BULLETS.match(row.text):
        return "code"
    return "table" if tabular else "text"


def _in_sentence(index: int, kinds: Sequence[DraftKind], column: Sequence[Row]) -> DraftKind | None:
    """A lone line of typewriter print right under an unfinished line is the end of its sentence: an address, a name."""
    if kinds[index] != "code" or index == 0 or kinds[index - 1] != "text":
        return None
    row, above = column[index], column[index - 1]
    if index + 1 < len(column) and kinds[index + 1] == "code" and _close(row, column[index + 1]):
        return None
    goes_on = abs(row.left - above.left) <= 0.3 * row.size and not _TERMINAL.search(above.text)
    return "text" if goes_on and _close(above, row) else None


def _close(above: Row, row: Row) -> bool:
    """Whether two rows are lines of one size, no farther apart than lines are."""
    size = max(row.size, above.size)
    return row.baseline - above.baseline <= 1.45 * size and abs(row.size - above.size) <= 0.1 * size


def _code_bridged(kinds: list[DraftKind], column: Sequence[Row]) -> list[DraftKind]:
    """Lines of text in small print between lines of code of the same size are code whose font does not tell."""
    bridged = list(kinds)
    last = -1
    usual = median(row.size for row in column)
    for index, kind in enumerate(kinds):
        if kind != "code":
            continue
        size = column[index].size
        between = range(last + 1, index)
        if last >= 0 and len(between) <= MAX_BRIDGED_ROWS and size < 0.95 * usual:
            same = all(kinds[i] == "text" and abs(column[i].size - size) <= 0.1 for i in between)
            bridged[last + 1 : index] = ["code"] * len(between) if same else kinds[last + 1 : index]
        last = index
    return bridged


def _alone(row: Row) -> bool:
    """Whether a row is a block of its own: a whole table, or a formula."""
    return row.cells[0].table is not None or is_display(row.cells[0].text)


def is_display(text: str) -> bool:
    """Whether a line is a formula set on its own."""
    return text.startswith("$$") and text.endswith("$$") and text.count("$$") == 2


def _tabular(column: Sequence[Row]) -> list[bool]:
    """Which rows stand in a run of rows with several cells each; short rows between such rows are the table's too."""
    flags = _bridged([len(row.cells) >= 2 and not row.mono and not is_display(row.cells[0].text) for row in column], column)
    start = 0
    while start < len(flags):
        end = start
        while end < len(flags) and flags[end]:
            end += 1
        if end - start < MIN_TABLE_ROWS:
            flags[start:end] = [False] * (end - start)
        start = end + 1
    return flags


def _bridged(flags: list[bool], column: Sequence[Row]) -> list[bool]:
    width = max(row.right for row in column) - min(row.left for row in column)
    bridged = list(flags)
    last = -1
    for index, several in enumerate(flags):
        if not several:
            continue
        between = column[last + 1 : index]
        if last >= 0 and 0 < len(between) <= MAX_BRIDGED_ROWS and all(row.right - row.left < 0.4 * width for row in between):
            bridged[last + 1 : index] = [True] * len(between)
        last = index
    return bridged


def _paragraphs(run: Sequence[Row], usual: _Column) -> list[Draft]:
    groups: list[list[Row]] = []
    for row in run:
        if groups and not _parts(groups[-1], row, usual):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [Draft("list" if _BULLET.match(group[0].text) else "text", tuple(group)) for group in groups]


def _parts(group: Sequence[Row], row: Row, usual: _Column) -> bool:
    """Whether a row begins something new."""
    last = group[-1]
    if _ENTRY.search(last.text):
        return True
    if abs(row.size - last.size) > 0.08 * max(row.size, last.size) or row.bold != last.bold:
        return True
    if row.baseline - last.baseline > 1.35 * usual.pitch * max(1.0, row.size / usual.size):
        return True
    if _CAPTION.match(group[0].text) and len(group) < 4:
        return _CAPTION.match(row.text) is not None
    if _BULLET.match(row.text) and _starts_item(group, row):
        return True
    return _leaves_item(group, row) if _BULLET.match(group[0].text) else _starts_paragraph(group, row, usual)


def _leaves_item(group: Sequence[Row], row: Row) -> bool:
    """Whether a row stands left of where the lines of a list item go on."""
    edge = group[0].left + 0.4 * row.size
    return row.left < edge < group[-1].left and len(group) > 1


def _starts_paragraph(group: Sequence[Row], row: Row, usual: _Column) -> bool:
    last, em = group[-1], row.size
    short = last.right < usual.right - 0.15 * (usual.right - usual.left)
    ended = _TERMINAL.search(last.text) is not None
    indented = row.left > last.left + 0.8 * em and last.left < usual.left + 0.5 * em and len(row.text) > 20
    if indented:
        return ended or short
    outdented = abs(row.left - group[0].left) < 0.4 * em and last.left > group[0].left + 0.8 * em
    return outdented or (short and ended)


def _starts_item(group: Sequence[Row], row: Row) -> bool:
    """A marker begins an item after another item, after a line that announces a list, or where it is indented."""
    last = group[-1]
    if _SURE_BULLETS.match(row.text):
        return True
    if _BULLET.match(group[0].text):
        return abs(row.left - group[0].left) < row.size or row.left > last.left + 0.5 * row.size
    if row.text[0] in "*-–−·":
        return row.text[2:3].isupper() and last.text.rstrip()[-1:] not in "-–"
    return last.text.rstrip().endswith((":", ".", ";"))

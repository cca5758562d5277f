"""Tables of Markdown and HTML, and how alike two documents' tables are: pairs of neighbouring cells.

The measure is that of the ICDAR 2013 table competition (Göbel, Hassan, Oro, Orsi: A Methodology for Evaluating Algorithms for
Table Understanding in PDF Documents, 2012): each cell with the next one to its right and below, blank cells passed over.
"""

import re
from collections import Counter
from html.parser import HTMLParser

from benchmarks.comparison.plain import seen

Place = tuple[int, int]
Grid = dict[Place, tuple[str, Place]]
"""Row and column → the text there and where its cell begins."""

MAX_SPAN = 200
_ROWS = re.compile(r"(?:^[ \t]*\|.*\|[ \t]*(?:\n|\Z)){2,}", re.MULTILINE)
_BAR = re.compile(r"(?<!\\)\|")
_NOT_WORD = re.compile(r"[\W_]+")


def tables_of(text: str) -> list[Grid]:
    reader = _HtmlTables()
    reader.feed(text)
    return [*reader.grids, *(_markdown(found[0]) for found in _ROWS.finditer(text))]


def _markdown(block: str) -> Grid:
    grid: Grid = {}
    lines = [line.strip() for line in block.splitlines() if line.strip(" |:-\t")]
    for row, line in enumerate(lines):
        for column, cell in enumerate(_BAR.split(line.removeprefix("|").removesuffix("|"))):
            grid[row, column] = (_key(cell), (row, column))
    return grid


def _key(text: str) -> str:
    return _NOT_WORD.sub("", seen(text)).lower()


class _HtmlTables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.grids: list[Grid] = []
        self._row, self._cell = -1, ""
        self._spans: tuple[int, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.grids.append({})
            self._row = -1
        elif tag == "tr":
            self._close()
            self._row += 1
        elif tag in ("td", "th"):
            self._close()
            spans = dict(attrs)
            self._spans = (_span(spans.get("rowspan")), _span(spans.get("colspan")))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._close()

    def handle_data(self, data: str) -> None:
        self._cell += data

    def _close(self) -> None:
        if self._spans is not None and self.grids:
            grid, row, column = self.grids[-1], max(0, self._row), 0
            while (row, column) in grid:
                column += 1
            for down in range(self._spans[0]):
                for across in range(self._spans[1]):
                    grid[row + down, column + across] = (_key(self._cell), (row, column))
        self._cell, self._spans = "", None


def _span(value: str | None) -> int:
    return min(MAX_SPAN, int(value)) if value and value.isdigit() and int(value) else 1


def neighbours(grids: list[Grid]) -> Counter[tuple[str, str, str]]:
    """How often each text stands left of, or above, another."""
    pairs: Counter[tuple[str, str, str]] = Counter()
    for grid in grids:
        for (row, column), (text, cell) in grid.items():
            if text:
                for name, down, across in (("right", 0, 1), ("below", 1, 0)):
                    other = _next(grid, row + down, column + across, down, across)
                    if other is not None and other[1] != cell:
                        pairs[text, other[0], name] += 1
    return pairs


def _next(grid: Grid, row: int, column: int, down: int, across: int) -> tuple[str, Place] | None:
    while (found := grid.get((row, column))) is not None and not found[0]:
        row, column = row + down, column + across
    return found

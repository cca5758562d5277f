"""A table as cells on a grid, and how it is written: Markdown where that can hold it, else HTML."""

import html
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Cell:
    """What stands in rows `top` to `bottom` and columns `left` to `right` of a grid (both ends included), line by line."""

    top: int
    left: int
    bottom: int
    right: int
    lines: list[str] = field(default_factory=list)

    @property
    def spans(self) -> bool:
        return self.bottom > self.top or self.right > self.left


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells from top to bottom and left to right; places that no cell covers are empty."""

    rows: int
    columns: int
    cells: tuple[Cell, ...]

    @property
    def plain(self) -> bool:
        """Whether no cell spans several rows or columns, so that Markdown can hold it."""
        return not any(cell.spans for cell in self.cells)


Join = Callable[[list[str]], str]
"""Makes the lines of a cell one text."""


def table_markup(grid: Grid, join: Join) -> str:
    """Markdown, or HTML where cells span rows or columns. Markdown takes the first row for the head."""
    return _markdown(grid, join) if grid.plain else _html(grid, join)


def _markdown(grid: Grid, join: Join) -> str:
    texts = [[""] * grid.columns for _ in range(grid.rows)]
    for cell in grid.cells:
        texts[cell.top][cell.left] = join(cell.lines).replace("|", "\\|")
    lines = ["| " + " | ".join(row) + " |" for row in texts]
    lines.insert(1, "|" + " --- |" * grid.columns)
    return "\n".join(lines)


def _html(grid: Grid, join: Join) -> str:
    places = {(cell.top, cell.left): cell for cell in grid.cells}
    covered = {
        (row, column)
        for cell in grid.cells
        for row in range(cell.top, cell.bottom + 1)
        for column in range(cell.left, cell.right + 1)
        if (row, column) != (cell.top, cell.left)
    }
    lines = ["<table>"]
    for row in range(grid.rows):
        marks = [_element(places.get((row, column)), join) for column in range(grid.columns) if (row, column) not in covered]
        lines.append("<tr>" + "".join(marks) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _element(cell: Cell | None, join: Join) -> str:
    if cell is None:
        return "<td></td>"
    down = f' rowspan="{cell.bottom - cell.top + 1}"' if cell.bottom > cell.top else ""
    across = f' colspan="{cell.right - cell.left + 1}"' if cell.right > cell.left else ""
    return f"<td{down}{across}>{html.escape(join(cell.lines), quote=False)}</td>"

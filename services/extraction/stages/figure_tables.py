"""Tables of figures that no lines rule, found over the whole width of a page before it is cut into columns."""

from collections.abc import Sequence
from itertools import pairwise

from services.extraction.stages.lines import Row, Segment, Table, rows
from services.extraction.stages.ruled import Edges, is_drawing
from services.extraction.stages.table_rows import is_figure
from services.extraction.stages.tables import is_leader, read_grid
from services.extraction.stages.words import Rule

LEAST_CELLS, LEAST_ROWS = 4, 3
MAX_BRIDGED = 2
MAX_HEAD_ROWS = 4
TIGHT_EM = 2.6
"""Rows of one table are no farther apart than this."""

LONGEST_STUB_WORDS = 12


def with_figure_tables(pieces: Sequence[Segment], rules: Sequence[Rule], curves: Sequence[Edges] = ()) -> list[Segment]:
    """The segments of a page, with those of each table of figures replaced by one that stands for it."""
    lines = rows(pieces)
    found: list[Table] = []
    for start, end in _runs(lines):
        start = _with_head(lines, start)  # noqa: PLW2901
        part = lines[start:end]
        if _is_prose_beside(part) or is_drawing(around(part), curves):
            continue
        words = [word for row in part for cell in row.cells for word in cell.run]
        inside = [rule for rule in rules if rule.horizontal and part[0].top < rule.top < part[-1].bottom]
        if (grid := read_grid(words, None, inside)) is not None:
            found.append(Table(grid, tuple(part)))
    if not found:
        return list(pieces)
    taken = {id(row) for table in found for row in table.rows}
    left = [cell for row in lines if id(row) not in taken for cell in row.cells]
    return [*left, *(table.segment() for table in found)]


def around(part: Sequence[Row]) -> Edges:
    return (
        min(row.left for row in part),
        min(row.top for row in part),
        max(row.right for row in part),
        max(row.bottom for row in part),
    )


def _runs(lines: Sequence[Row]) -> list[tuple[int, int]]:
    """Stretches of rows of figures, with the few rows between them."""
    runs: list[tuple[int, int]] = []
    for index, row in enumerate(lines):
        if not _has_figures(row):
            continue
        last = lines[runs[-1][1] - 1] if runs else None
        near = last is not None and index - runs[-1][1] <= MAX_BRIDGED and _are_near(lines[runs[-1][1] - 1 : index + 1])
        if near:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return [(start, end) for start, end in runs if sum(map(_has_figures, lines[start:end])) >= LEAST_ROWS]


def _are_near(lines: Sequence[Row]) -> bool:
    if any(cell.table for row in lines for cell in row.cells):
        return False
    steps = ((below.baseline - above.baseline) / max(above.size, below.size, 1.0) for above, below in pairwise(lines))
    return all(step <= TIGHT_EM for step in steps)


def _has_figures(row: Row) -> bool:
    """Whether a row is some words at most, and figures."""
    if len(row.cells) < LEAST_CELLS or any(cell.table for cell in row.cells):
        return False
    figures = sum(is_figure(cell.text) for cell in row.cells)
    return figures >= 0.6 * len(row.cells) and len(row.cells) - figures <= 2


def _with_head(lines: Sequence[Row], start: int) -> int:
    """Rows of several cells right above belong to the table: its head."""
    first = start
    while first > 0 and start - first < MAX_HEAD_ROWS:
        above = lines[first - 1]
        if len(above.cells) < 2 or not _are_near(lines[first - 1 : first + 1]) or above.left < lines[start].left - above.size:
            break
        first -= 1
    return first


def _is_prose_beside(part: Sequence[Row]) -> bool:
    """Whether the first cells are lines of a column of prose beside the figures: long, and of one right end."""
    stubs = [row.cells[0] for row in part if not is_figure(row.cells[0].text)]
    if not stubs:
        return False
    edges = [max((word.right for word in cell.run if not is_leader(word.text)), default=cell.left) for cell in stubs]
    full = sum(edge >= max(edges) - 0.5 * cell.size for edge, cell in zip(edges, stubs, strict=True))
    return len(stubs) >= LEAST_ROWS and (full >= 0.5 * len(stubs) or max(cell.words for cell in stubs) > LONGEST_STUB_WORDS)

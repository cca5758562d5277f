"""Tables that lines rule: grids, and rows between lines of one width. Each is taken out of the text as one piece."""

from collections.abc import Sequence
from itertools import pairwise

from services.extraction.stages.lines import Segment, Table, rows
from services.extraction.stages.rulings import Region, bands, grids, merged
from services.extraction.stages.table_columns import runs_of, text_lines
from services.extraction.stages.table_rows import is_figure
from services.extraction.stages.tables import read_grid
from services.extraction.stages.words import Rule, Word

WIDE_GAP_EM = 1.0
"""A line with a gap this wide may be a row of a table."""

SAME_EDGE_POINTS = 3.0

NEAR_EM = 1.8
"""A row above the first line or below the last one of a table is no farther than this."""

DRAWN_SHARE = 0.12
"""A chart's curve covers at least this share of the box of its labels and grid lines."""

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MAX_ROWS_BEYOND, MAX_PENDING = 4, 2


def with_ruled_tables(pieces: Sequence[Segment], rules: Sequence[Rule], curves: Sequence[Edges] = ()) -> list[Segment]:
    """The segments of a page, with those of each ruled table replaced by one that stands for it. Charts are none."""
    across, down = merged(rules)
    left = list(pieces)
    if len(across) < 2 or not left:
        return left
    lattices = [region for region in grids(across, down) if region.lattice]
    for region in sorted(lattices, key=lambda region: region.top):
        left = left if is_drawing((region.left, region.top, region.right, region.bottom), curves) else _taken(left, region)
    for stack in bands([rule for rule in across if not any(_inside(rule, region) for region in lattices)]):
        for region in _banded(stack, left, across):
            if not is_drawing((region.left, region.top, region.right, region.bottom), curves):
                left = _taken(left, region)
    return left


def is_drawing(box: Edges, curves: Sequence[Edges]) -> bool:
    """Whether curves and slanting lines fill a good part of a box."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    drawn = max((_overlap(box, curve) for curve in curves), default=0.0)
    return area > 0 and drawn >= DRAWN_SHARE * area


def _overlap(one: Edges, other: Edges) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _inside(rule: Rule, region: Region) -> bool:
    return region.holds((rule.left + rule.right) / 2, rule.top)


def _taken(pieces: Sequence[Segment], region: Region) -> list[Segment]:
    inside: list[Segment] = []
    outside: list[Segment] = []
    for piece in pieces:
        (inside if piece.table is None and _stands_in(piece, region) else outside).append(piece)
    words = [word for piece in inside for word in piece.run]
    grid = read_grid(words, region) if words else None
    if grid is None:
        return list(pieces)
    return [*outside, Table(grid, tuple(rows(inside))).segment()]


def _stands_in(piece: Segment, region: Region) -> bool:
    return region.holds((piece.left + piece.right) / 2, (piece.top + piece.bottom) / 2)


def _banded(stack: Sequence[Rule], pieces: Sequence[Segment], across: Sequence[Rule]) -> list[Region]:
    """Parts of a stack of lines between which rows of a table stand."""
    left, right = min(rule.left for rule in stack), max(rule.right for rule in stack)
    beside = [piece for piece in pieces if piece.table is None and left - 6 <= (piece.left + piece.right) / 2 <= right + 6]
    found: list[list[float]] = []
    open_region = False
    for above, below in pairwise(stack):
        lines = _lines(beside, above.top, below.top)
        if _is_tabular(lines) or (open_region and len(lines) <= 1):
            if open_region:
                found[-1].append(below.top)
            else:
                found.append([above.top, below.top])
            open_region = True
        else:
            open_region = False
    return [region for heights in found if (region := _region(heights, left, right, beside, across)) is not None]


def _lines(pieces: Sequence[Segment], top: float, bottom: float) -> list[list[Word]]:
    return text_lines([word for piece in pieces if top <= (piece.top + piece.bottom) / 2 <= bottom for word in piece.run])


def _is_tabular(lines: Sequence[list[Word]]) -> bool:
    """Whether most lines are rows, or go on below a cell of one that is not its first."""
    edges: list[float] = []
    count = 0
    for line in lines:
        if _is_row(line):
            edges += [run.left for run in runs_of(line)[1:]]
            count += 1
        else:
            count += any(abs(line[0].left - edge) <= SAME_EDGE_POINTS for edge in edges)
    return bool(edges) and count >= 0.5 * len(lines)


def _is_row(line: Sequence[Word]) -> bool:
    runs = runs_of(line)
    return any(other.left - one.right >= WIDE_GAP_EM * one.size for one, other in pairwise(runs))


def _region(
    heights: Sequence[float], left: float, right: float, beside: Sequence[Segment], across: Sequence[Rule]
) -> Region | None:
    top, bottom = _stretched(heights[0], heights[-1], beside)
    lines = _lines(beside, top, bottom)
    if len(lines) < 3 and len(heights) < 3:
        return None
    inside = tuple(
        rule for rule in across if top - 1 <= rule.top <= bottom + 1 and rule.left >= left - 6 and rule.right <= right + 6
    )
    return Region(left, top, right, bottom, inside)


def _stretched(top: float, bottom: float, beside: Sequence[Segment]) -> tuple[float, float]:
    """A head above the first line and rows below the last one belong to the table."""
    for _ in range(MAX_ROWS_BEYOND):
        above = [piece for piece in beside if 0 <= top - piece.bottom <= NEAR_EM * piece.size]
        row = _nearest_row(above, max((piece.baseline for piece in above), default=0.0))
        if not row:
            break
        top = min(piece.top for piece in row) - 0.5
    return top, _stretched_down(bottom, beside)


def _stretched_down(bottom: float, beside: Sequence[Segment]) -> float:
    """How far rows go on below the last line: a few of any kind, and those with figures to their end."""
    edge, pending = bottom, 0
    below = rows([piece for piece in beside if piece.top >= bottom - 1])
    for index, row in enumerate(below):
        if row.top - edge > NEAR_EM * row.size or pending > MAX_PENDING:
            break
        edge = row.bottom
        figures = sum(is_figure(cell.text) for cell in row.cells)
        if figures >= 2 or (index < MAX_ROWS_BEYOND and _is_row(sorted(_words(row.cells), key=lambda word: word.left))):
            bottom, pending = row.bottom + 0.5, 0
        else:
            pending += 1
    return bottom


def _words(pieces: Sequence[Segment]) -> list[Word]:
    return [word for piece in pieces for word in piece.run]


def _nearest_row(pieces: Sequence[Segment], baseline: float) -> list[Segment]:
    row = [piece for piece in pieces if abs(piece.baseline - baseline) <= 0.3 * piece.size]
    words = [word for piece in row for word in piece.run]
    return row if words and _is_row(sorted(words, key=lambda word: word.left)) else []

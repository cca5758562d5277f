"""Words that stand as a table, with the lines that rule them → a grid of cells, with the cells that span several."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from services.extraction.stages.grid import Cell, Grid
from services.extraction.stages.rulings import Region
from services.extraction.stages.table_columns import Run, corridors, runs_of, text_lines
from services.extraction.stages.table_heads import spread_heads, spread_sections
from services.extraction.stages.table_rows import Line, is_figure, row_groups
from services.extraction.stages.words import Rule, Word

_LEADER = re.compile(r"[.·…_]{3,}|[.·…]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?%?")
_SIGN = re.compile(r"[$€£¥%‰]")

MIN_FILLED = 0.3
MAX_COLUMNS = 60
LEAST_TICKS = 4
WALL_SHARE = 0.6
"""A line parts cells where it runs along at least this share of their edge."""

MAX_HEAD_ROWS = 6


def read_grid(words: Sequence[Word], region: Region | None, rules: Sequence[Rule] = ()) -> Grid | None:
    """The grid that words stand in, or None where they do not make a table."""
    lines = text_lines([word for word in words if not is_leader(word.text)])
    if not lines:
        return None
    verticals = region.verticals if region else ()
    runs = [runs_of(line, _walls_beside(line, verticals)) for line in lines]
    walls = _walls(verticals, region) if region else []
    columns = _columns(runs, walls)
    if not 2 <= len(columns) <= MAX_COLUMNS:
        return None
    table = [Line.placed(line, columns) for line in runs]
    horizontals = region.horizontals if region else rules
    builder = _Builder(columns, walls, table, horizontals, verticals)
    grid = builder.grid()
    return grid if _is_table(grid, region) else None


def is_leader(text: str) -> bool:
    """Whether a word is dots that lead the eye to a figure."""
    return _LEADER.fullmatch(text) is not None


def _walls_beside(line: Sequence[Word], verticals: Sequence[Rule]) -> list[float]:
    middle = (min(word.top for word in line) + max(word.bottom for word in line)) / 2
    return [rule.left for rule in verticals if rule.top - 1 <= middle <= rule.bottom + 1]


def _walls(verticals: Sequence[Rule], region: Region) -> list[float]:
    """Where vertical lines part columns: inside the frame, and as long as a cell at least."""
    found: list[float] = []
    for rule in sorted(verticals, key=lambda rule: rule.left):
        inside = region.left + 3 < rule.left < region.right - 3
        if inside and rule.bottom - rule.top >= 6 and (not found or rule.left - found[-1] > 3):
            found.append(rule.left)
    return found


def _columns(runs: Sequence[Sequence[Run]], walls: Sequence[float]) -> list[tuple[float, float]]:
    """Left and right edge of each column that has text. A line parts columns rather than the white around it."""
    white = corridors(runs, 1.0) if walls else corridors(runs)
    cuts = sorted([*walls, *white])
    middles = sorted((run.left + run.right) / 2 for line in runs for run in line)
    edges = [float("-inf")]
    for cut in cuts:
        if any(edges[-1] < middle < cut for middle in middles):
            edges.append(cut)
        elif cut in walls and len(edges) > 1 and edges[-1] not in walls:
            edges[-1] = cut
    while len(edges) > 1 and not any(middle > edges[-1] for middle in middles):
        edges.pop()
    return list(pairwise([*edges, float("inf")]))


class _Builder:
    """Puts lines into rows, runs into cells, and joins the cells that no line parts."""

    def __init__(
        self,
        columns: Sequence[tuple[float, float]],
        walls: Sequence[float],
        lines: Sequence[Line],
        horizontals: Sequence[Rule],
        verticals: Sequence[Rule],
    ) -> None:
        self._columns, self._walls, self._lines = columns, walls, lines
        self._horizontals = sorted(horizontals, key=lambda rule: rule.top)
        self._verticals = sorted(verticals, key=lambda rule: rule.left)
        self._heights, self._places = [rule.top for rule in self._horizontals], [rule.left for rule in self._verticals]
        self._left = min(run.left for line in lines for run in line.runs)
        self._right = max(run.right for line in lines for run in line.runs)
        self._bands = self._banded()
        self._rows = [row for band in self._bands for row in band]
        self._cells: list[Cell] = []

    def _banded(self) -> list[list[list[Line]]]:
        """Lines between horizontal lines that run under the first and the last column, parted into rows."""
        bands: list[list[Line]] = []
        last: Line | None = None
        for line in self._lines:
            if last is None or self._parts_rows(last.middle, line.middle):
                bands.append([])
            bands[-1].append(line)
            last = line
        dense = len(bands) >= 3 and sum(len(band) == 1 or not _is_many(band) for band in bands) >= 0.6 * len(bands)
        lattice = bool(self._walls) and dense
        return [[band] if lattice and not _is_many(band) else row_groups(band) for band in bands]

    def grid(self) -> Grid:
        heads = self._head_rows()
        for index, row in enumerate(self._rows):
            self._cells += _row_cells(index, row, len(self._columns))
        if self._walls:
            self._join_across()
            self._join_down(range(len(self._rows) - 1))
        else:
            spread_heads(self._cells, self._rows, len(self._columns), heads, self._horizontals)
            spread_sections(self._cells, self._rows, len(self._columns))
            self._join_down(range(heads - 1), heads_only=True)
        return _compact([cell for cell in self._cells if cell.lines], len(self._columns))

    def _head_rows(self) -> int:
        """How many rows are the table's head: the first band's, or those before the first row of figures."""
        first = len(self._bands[0])
        if len(self._bands) > 1 and first <= MAX_HEAD_ROWS and len(self._rows) > first:
            return first
        for index, row in enumerate(self._rows[:MAX_HEAD_ROWS]):
            texts = [run.text for line in row for run in line.runs if run.first > 0]
            if texts and sum(map(is_figure, texts)) >= 0.5 * len(texts):
                return max(1, index)
        return 1

    def _parts_rows(self, above: float, below: float) -> bool:
        last = len(self._columns) - 1
        if self._walls:
            return self._ruled(above, below, 0, last, 0.5)
        return self._ruled(above, below, 0, 0) and self._ruled(above, below, last, last)

    def _ruled(self, above: float, below: float, first: int, last: int, share: float = WALL_SHARE) -> bool:
        """Whether horizontal lines between two heights run along columns `first` to `last`."""
        left = max(self._columns[first][0], self._left)
        right = min(self._columns[last][1], self._right)
        between = self._horizontals[bisect_right(self._heights, above) : bisect_left(self._heights, below)]
        covered = sum(max(0.0, min(right, rule.right) - max(left, rule.left)) for rule in between)
        return covered >= share * (right - left) > 0

    def _walled(self, top: float, bottom: float, column: int) -> bool:
        """Whether a vertical line parts a column from the next between two heights; white corridors always do."""
        at = self._columns[column][1]
        if not any(abs(at - wall) <= 0.1 for wall in self._walls):
            return True
        near = self._verticals[bisect_left(self._places, at - 3) : bisect_right(self._places, at + 3)]
        return sum(max(0.0, min(bottom, rule.bottom) - max(top, rule.top)) for rule in near) >= WALL_SHARE * (bottom - top)

    def _join_across(self) -> None:
        """Neighbours in a row that no vertical line parts are one cell, where one of them at most has text."""
        for index, row in enumerate(self._rows):
            top, bottom = row[0].top, row[-1].bottom
            cells = sorted((cell for cell in self._cells if cell.top == index), key=lambda cell: cell.left)
            for one, other in pairwise(cells):
                if one.right + 1 == other.left and not self._walled(top, bottom, one.right):
                    if one.lines and other.lines:
                        continue
                    other.left, other.lines = one.left, one.lines or other.lines
                    self._cells.remove(one)

    def _join_down(self, boundaries: Sequence[int] | range, heads_only: bool = False) -> None:
        """Cells on top of each other that no horizontal line parts are one. Empty ones join the text that they belong to."""
        for index in boundaries:
            above, below = self._rows[index][-1], self._rows[index + 1][0]
            same_band = any(self._rows[index] in band and self._rows[index + 1] in band for band in self._bands)
            if same_band and not heads_only:
                continue
            tops = {(cell.left, cell.right): cell for cell in self._cells if cell.bottom == index}
            for cell in [cell for cell in self._cells if cell.top == index + 1]:
                upper = tops.get((cell.left, cell.right))
                if upper is None or self._ruled(above.middle, below.middle, cell.left, cell.right):
                    continue
                if heads_only and upper.lines and cell.lines and below.top - above.bottom > 0.8 * below.size:
                    continue
                cell.top, cell.lines = upper.top, [*upper.lines, *cell.lines]
                self._cells.remove(upper)


def _is_many(band: Sequence[Line]) -> bool:
    """Whether the lines between two rules are rows of their own: most of them fill several columns, with figures."""
    if len(band) < 3:
        return False
    full = [line for line in band if len(line.runs) >= 2 and sum(is_figure(run.text) for run in line.runs[1:]) >= 1]
    return len(full) >= 0.7 * len(band)


def _row_cells(index: int, row: Sequence[Line], columns: int) -> list[Cell]:
    """One cell a column, and one for each run of text that reaches over several columns with nothing else in them."""
    spans = [(run.first, run.last) for line in row for run in line.runs if run.last > run.first]
    covered: dict[int, tuple[int, int]] = {}
    for first, last in spans:
        others = [run for line in row for run in line.runs if run.first <= last and run.last >= first and run.last == run.first]
        if not others:
            for column in range(first, last + 1):
                covered.setdefault(column, (first, last))
    cells: list[Cell] = []
    column = 0
    while column < columns:
        first, last = covered.get(column, (column, column))
        last = max(column, last)
        cells.append(Cell(index, column, index, last))
        column = last + 1
    for line in row:
        for run in line.runs:
            for at, text in run.parts(covered):
                cell = next(cell for cell in cells if cell.left <= at <= cell.right)
                cell.lines.append(text)
    return cells


def _compact(cells: Sequence[Cell], columns: int) -> Grid:
    """Rows and columns in which no cell begins are taken out; columns of currency signs join their figures."""
    tops = sorted({cell.top for cell in cells})
    lefts = sorted({cell.left for cell in cells} - _sign_columns(cells))
    lefts = lefts or [0]
    places: dict[tuple[int, int], Cell] = {}
    for cell in sorted(cells, key=lambda cell: (cell.top, cell.left)):
        top = bisect_left(tops, cell.top)
        bottom = max(top, bisect_right(tops, cell.bottom) - 1)
        left = min(bisect_left(lefts, cell.left), len(lefts) - 1)
        right = max(left, bisect_right(lefts, cell.right) - 1)
        if (known := places.get((top, left))) is not None:
            known.lines = [" ".join([*known.lines, *cell.lines])]
        else:
            places[top, left] = Cell(top, left, bottom, right, list(cell.lines))
    return Grid(len(tops), len(lefts), tuple(places[key] for key in sorted(places)))


def _sign_columns(cells: Sequence[Cell]) -> set[int]:
    """Columns that hold currency signs and nothing else."""
    texts: dict[int, list[str]] = {}
    for cell in cells:
        if cell.left == cell.right:
            texts.setdefault(cell.left, []).extend(cell.lines)
    return {column for column, found in texts.items() if found and all(_SIGN.fullmatch(text) for text in found)}


def _is_table(grid: Grid, region: Region | None) -> bool:
    """Whether cells hold a table's words and figures; what a large formula or a drawing falls apart into does not."""
    texts = [" ".join(cell.lines) for cell in grid.cells]
    if grid.columns < 2 or len(texts) < 2 or (grid.rows < 2 and region is None):
        return False
    area = sum((cell.bottom - cell.top + 1) * (cell.right - cell.left + 1) for cell in grid.cells)
    wordy = sum(len(text) >= 2 and any(c.isalnum() for c in text) for text in texts)
    figures = sum(is_figure(text) for text in texts)
    long = sum(len(text.split()) > 40 for text in texts)
    if long > 0.34 * len(texts) and not (region and region.lattice):
        return False
    filled = area >= MIN_FILLED * grid.rows * grid.columns and max(wordy, figures) >= 0.5 * len(texts)
    return filled and not (figures >= 0.55 * len(texts) and _is_axis(grid))


def _is_axis(grid: Grid) -> bool:
    """Whether all columns of figures run in even steps (other than one): the scales of a chart, and no table."""
    columns: dict[int, list[float]] = {}
    for cell in grid.cells:
        if cell.left == cell.right and _NUMBER.fullmatch(text := "".join(cell.lines).replace(",", "").replace("−", "-")):
            columns.setdefault(cell.left, []).append(float(text.rstrip("%")))
    scales = [values for values in columns.values() if len(values) >= LEAST_TICKS]
    return bool(scales) and all(_runs_evenly(values) for values in scales)


def _runs_evenly(values: Sequence[float]) -> bool:
    steps = [below - above for above, below in pairwise(values)]
    first = steps[0]
    return abs(first) not in (0.0, 1.0) and all(abs(step - first) <= 0.02 * abs(first) for step in steps)

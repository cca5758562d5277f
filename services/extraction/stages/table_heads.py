"""Heads of tables: a head that stands above several columns is spread over them."""

from collections.abc import Sequence
from functools import cache

from services.extraction.stages.grid import Cell
from services.extraction.stages.table_rows import Line, Placed
from services.extraction.stages.words import Rule

FIT_EM = 1.2
"""A head is centred over its columns to within this."""

SKIP_EM = 0.6
"""What leaving a column without a head costs, next to a head that is so far off the middle of its columns."""

MAX_COLUMNS = 24

Edges = tuple[float, float]


def spread_heads(cells: list[Cell], rows: Sequence[Sequence[Line]], columns: int, heads: int, rules: Sequence[Rule]) -> None:
    """Widens cells of the first `heads` rows, in place; the empty cells that they cover go."""
    edges = _edges(rows, columns)
    for index in range(min(heads, len(rows) - 1)):
        here = [cell for cell in cells if cell.top == index]
        texts = {run.first: run for line in rows[index] for run in line.runs if len(rows[index]) == 1 or run.first == run.last}
        under = {run.first for run in rows[index + 1][0].runs if run.first == run.last}
        between = _rules_between(rules, rows[index][-1].middle, rows[index + 1][0].middle)
        wide = {head: _over_rule(run, between, edges, columns) for head, run in texts.items()}
        ruled = {head: span for head, span in wide.items() if span}
        spans = ruled or _fitted(texts, under, edges, columns)
        for head, (first, last) in spans.items():
            _widen(cells, here, head, first, last)


def _edges(rows: Sequence[Sequence[Line]], columns: int) -> list[Edges | None]:
    found: list[Edges | None] = [None] * columns
    for row in rows:
        for line in row:
            for run in line.runs:
                if run.first == run.last:
                    left, right = found[run.first] or (run.left, run.right)
                    found[run.first] = (min(left, run.left), max(right, run.right))
    return found


def _rules_between(rules: Sequence[Rule], above: float, below: float) -> list[Rule]:
    return [rule for rule in rules if above < rule.top < below]


def _over_rule(run: Placed, rules: Sequence[Rule], edges: Sequence[Edges | None], columns: int) -> tuple[int, int] | None:
    """The columns above which the line under a head runs, if they are several and not all."""
    middle = (run.left + run.right) / 2
    for rule in rules:
        if rule.left <= middle <= rule.right:
            over = [
                i for i in range(columns) if (edge := edges[i]) and rule.left - 4 <= (edge[0] + edge[1]) / 2 <= rule.right + 4
            ]
            if 2 <= len(over) < columns:
                return over[0], over[-1]
    return None


def _fitted(
    texts: dict[int, Placed], under: set[int], edges: Sequence[Edges | None], columns: int
) -> dict[int, tuple[int, int]]:
    """Heads without lines: each run of columns that have text below and none here goes to the heads centred above it."""
    free = [column for column in range(columns) if column in under and edges[column]]
    spans: dict[int, tuple[int, int]] = {}
    for group in _contiguous(free):
        heads = [column for column in group if column in texts]
        if heads and len(group) <= MAX_COLUMNS and all(texts[head].last in group for head in heads):
            spans |= _parted(group, heads, texts, edges)
    return spans


def _contiguous(columns: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for column in columns:
        if groups and groups[-1][-1] == column - 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    return groups


def _parted(
    group: Sequence[int], heads: Sequence[int], texts: dict[int, Placed], edges: Sequence[Edges | None]
) -> dict[int, tuple[int, int]]:
    """The parting of columns among heads that leaves each head nearest to the middle of its columns."""

    def off(head: int, first: int, last: int) -> float:
        left, right = edges[first], edges[last]
        assert left is not None and right is not None
        run = texts[head]
        return abs((left[0] + right[1]) / 2 - (run.left + run.right) / 2) / max(1.0, run.run.size)

    @cache
    def best(at: int, head: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        if at == len(group):
            return (0.0, ()) if head == len(heads) else (float("inf"), ())
        options = []
        if not any(texts[one].first <= group[at] <= texts[one].last for one in heads):
            cost, rest = best(at + 1, head)
            options.append((cost + SKIP_EM, rest))
        if head < len(heads):
            for end in range(at, len(group)):
                if (
                    group[at] <= heads[head]
                    and texts[heads[head]].last <= group[end]
                    and (head + 1 == len(heads) or group[end] < heads[head + 1])
                ):
                    cost, rest = best(end + 1, head + 1)
                    options.append((cost + off(heads[head], group[at], group[end]), ((group[at], group[end]), *rest)))
        return min(options, default=(float("inf"), ()))

    _, spans = best(0, 0)
    fitting = zip(heads, spans, strict=True) if len(spans) == len(heads) else ()
    return {head: span for head, span in fitting if span[1] > span[0] and off(head, *span) <= FIT_EM}


def spread_sections(cells: list[Cell], rows: Sequence[Sequence[Line]], columns: int) -> None:
    """A row of one text, centred over all columns or all but the first, spans them."""
    edges = _edges(rows, columns)
    for index, row in enumerate(rows):
        runs = [run for line in row for run in line.runs]
        if len(runs) != 1 or runs[0].first == 0:
            continue
        run, middle = runs[0], (runs[0].left + runs[0].right) / 2
        for first in (1, 0):
            left, right = edges[first], edges[-1]
            if left and right and abs((left[0] + right[1]) / 2 - middle) <= FIT_EM * run.run.size and run.last > first:
                _widen(cells, [cell for cell in cells if cell.top == index], run.first, first, columns - 1)
                break


def _widen(cells: list[Cell], here: Sequence[Cell], head: int, first: int, last: int) -> None:
    owner = next((cell for cell in here if cell.left <= head <= cell.right and cell.lines), None)
    covered = [cell for cell in here if first <= cell.left and cell.right <= last]
    if owner is None or owner.right > last or any(cell.lines for cell in covered if cell is not owner):
        return
    for cell in covered:
        if cell is not owner and cell in cells:
            cells.remove(cell)
    owner.left, owner.right = min(owner.left, first), max(owner.right, last)

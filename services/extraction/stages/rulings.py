"""The lines drawn on a page → the regions that they rule: grids, and bands between lines of one width."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.extraction.stages.words import Rule

MAX_RULES = 4_000
"""A page with more lines is a drawing."""

TOUCH_POINTS = 3.0
SAME_LINE_POINTS = 1.5
DASH_GAP_POINTS = 4.0
SHORTEST_BAND_POINTS = 60.0


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page that lines rule. `lattice`: vertical lines part its columns."""

    left: float
    top: float
    right: float
    bottom: float
    horizontals: tuple[Rule, ...]
    verticals: tuple[Rule, ...] = ()

    @property
    def lattice(self) -> bool:
        return any(self.left + TOUCH_POINTS < rule.left < self.right - TOUCH_POINTS for rule in self.verticals)

    def holds(self, x: float, y: float) -> bool:
        return self.left - TOUCH_POINTS <= x <= self.right + TOUCH_POINTS and self.top - 1 <= y <= self.bottom + 1


def merged(rules: Iterable[Rule]) -> tuple[list[Rule], list[Rule]]:
    """Horizontal and vertical lines, with the pieces of one line (dashes, cells' edges) made one."""
    rules = list(rules)
    if len(rules) > MAX_RULES:
        return [], []
    across = _joined(sorted((r.top, r.left, r.right) for r in rules if r.horizontal))
    down = _joined(sorted((r.left, r.top, r.bottom) for r in rules if not r.horizontal))
    return [Rule(a, at, b, at) for at, a, b in across], [Rule(at, a, at, b) for at, a, b in down]


def _joined(lines: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Lines (where, from, to): those within a point and a half of each other that overlap or nearly touch become one."""
    groups: list[list[tuple[float, float, float]]] = []
    for line in lines:
        if groups and line[0] - groups[-1][0][0] <= SAME_LINE_POINTS:
            groups[-1].append(line)
        else:
            groups.append([line])
    found = []
    for group in groups:
        at = group[len(group) // 2][0]
        start, end = None, 0.0
        for _, a, b in sorted(group, key=lambda line: line[1]):
            if start is None:
                start, end = a, b
            elif a - end <= DASH_GAP_POINTS:
                end = max(end, b)
            else:
                found.append((at, start, end))
                start, end = a, b
        if start is not None:
            found.append((at, start, end))
    return found


def grids(across: Sequence[Rule], down: Sequence[Rule]) -> list[Region]:
    """Lines that meet, taken together: two or more each way, with a line inside the frame."""
    rules = [*across, *down]
    parent = list(range(len(rules)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for i, flat in enumerate(across):
        for j, tall in enumerate(down, len(across)):
            if _meet(flat, tall):
                parent[root(i)] = root(j)
    groups: dict[int, list[Rule]] = {}
    for index in range(len(rules)):
        groups.setdefault(root(index), []).append(rules[index])
    found = [_region(group) for group in groups.values() if len(group) > 1]
    return [region for region in found if len(region.horizontals) >= 2 and region.verticals]


def _meet(flat: Rule, tall: Rule) -> bool:
    return (
        flat.left - TOUCH_POINTS <= tall.left <= flat.right + TOUCH_POINTS
        and tall.top - TOUCH_POINTS <= flat.top <= tall.bottom + TOUCH_POINTS
    )


def _region(group: Sequence[Rule]) -> Region:
    return Region(
        left=min(rule.left for rule in group),
        top=min(rule.top for rule in group),
        right=max(rule.right for rule in group),
        bottom=max(rule.bottom for rule in group),
        horizontals=tuple(rule for rule in group if rule.horizontal),
        verticals=tuple(rule for rule in group if not rule.horizontal),
    )


def bands(across: Sequence[Rule]) -> list[list[Rule]]:
    """Stacks of horizontal lines of one left and right end, from top to bottom; pieces side by side count as one line."""
    whole = _side_by_side([rule for rule in across if rule.right - rule.left >= 8])
    stacks: list[list[Rule]] = []
    for rule in sorted(whole, key=lambda rule: rule.top):
        if rule.right - rule.left < SHORTEST_BAND_POINTS:
            continue
        for stack in stacks:
            if abs(stack[0].left - rule.left) <= 6 and abs(stack[0].right - rule.right) <= 6:
                stack.append(rule)
                break
        else:
            stacks.append([rule])
    return [stack for stack in stacks if len(stack) >= 2]


def _side_by_side(across: Sequence[Rule]) -> list[Rule]:
    """Lines at one height with small gaps between them, as the one line that they make; and the lines themselves."""
    rows: list[list[Rule]] = []
    for rule in sorted(across, key=lambda rule: (rule.top, rule.left)):
        if rows and abs(rows[-1][0].top - rule.top) <= SAME_LINE_POINTS:
            rows[-1].append(rule)
        else:
            rows.append([rule])
    whole = list(across)
    for row in rows:
        row.sort(key=lambda rule: rule.left)
        if len(row) > 1 and all(other.left - one.right <= 14 for one, other in pairwise(row)):
            whole.append(Rule(row[0].left, row[0].top, max(rule.right for rule in row), row[0].top))
    return whole

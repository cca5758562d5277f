"""Lines of a table → rows: a cell's text may go on over several lines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.extraction.stages.direction import in_reading_order
from services.extraction.stages.spelling import spelled
from services.extraction.stages.table_columns import Run
from services.extraction.stages.words import Word

TIGHT_EM = 1.5
"""Baselines of one cell's lines are no farther apart than this."""

LEAST_WRAPPED_WORDS = 3
"""Where all cells of a row seem to go on, each has so many words at least: rows of short words are rows."""

_FIGURE = re.compile(r"(?=.*\d|[-–—†‡#*.]+\Z)(?:[\s\d.,%‰$€£+\-–—−()\[\]*/:†‡#<>≤≥~±^'’]|[a-z]{1,2}\b)+", re.IGNORECASE)


_ANNOUNCES = re.compile(r":\s*\d{0,2}\Z")


def is_figure(text: str) -> bool:
    """Whether a cell holds a number, a range, a share or a sign for none, and no words."""
    return _FIGURE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Placed:
    """A run of words, and the first and last column that it stands in."""

    run: Run
    first: int
    last: int
    pieces: tuple[tuple[int, str], ...]
    left: float
    right: float

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.pieces)

    def parts(self, covered: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, str]]:
        """Column and text: the whole where it spans columns with nothing else in them, else word by word."""
        if self.first == self.last or covered.get(self.first) == (self.first, self.last):
            yield self.first, self.text
        else:
            yield from self.pieces


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, its runs placed in columns."""

    runs: tuple[Placed, ...]
    top: float
    bottom: float
    baseline: float
    size: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def filled(self) -> set[int]:
        return {column for run in self.runs for column in range(run.first, run.last + 1)}

    @staticmethod
    def placed(runs: Sequence[Run], columns: Sequence[tuple[float, float]]) -> "Line":
        words = [word for run in runs for word in run.words]
        largest = max(words, key=lambda word: word.size)
        return Line(
            runs=tuple(_joined([_place(run, columns) for run in runs])),
            top=min(word.top for word in words),
            bottom=max(word.bottom for word in words),
            baseline=largest.baseline,
            size=largest.size,
        )


def _joined(placed: Sequence[Placed]) -> list[Placed]:
    """Runs in one column are one: in justified text the spaces of a cell may be wide."""
    joined: list[Placed] = []
    for one in placed:
        last = joined[-1] if joined else None
        if last and last.first == last.last == one.first == one.last:
            run = Run(
                (*last.run.words, *one.run.words), last.left, max(last.right, one.right), max(last.run.size, one.run.size)
            )
            joined[-1] = Placed(run, one.first, one.last, ((one.first, _text(run.words)),), run.left, run.right)
        else:
            joined.append(one)
    return joined


def _text(words: Sequence[Word]) -> str:
    return spelled(in_reading_order(words)).replace("$$", "$")


def _place(run: Run, columns: Sequence[tuple[float, float]]) -> Placed:
    """A run reaches into a column where it overlaps it by a third of an em."""
    slack = min(0.35 * run.size, 0.3 * (run.right - run.left))
    inside = [i for i, (left, right) in enumerate(columns) if run.right - slack > left and run.left + slack < right]
    first, last = (inside[0], inside[-1]) if inside else (0, 0)
    if first == last:
        return Placed(run, first, last, ((first, _text(run.words)),), run.left, run.right)
    groups: dict[int, list[Word]] = {}
    for word in run.words:
        middle = (word.left + word.right) / 2
        at = next((i for i, (_, right) in enumerate(columns) if middle < right), len(columns) - 1)
        groups.setdefault(at, []).append(word)
    return Placed(run, first, last, tuple((at, _text(words)) for at, words in groups.items()), run.left, run.right)


def row_groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines taken together as rows."""
    edges: dict[int, float] = {}
    for line in lines:
        for run in line.runs:
            edges[run.last] = max(edges.get(run.last, run.right), run.right)
    rows: list[list[Line]] = []
    for line in lines:
        if rows and _goes_on(rows[-1], line, edges):
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _goes_on(row: Sequence[Line], line: Line, edges: Mapping[int, float]) -> bool:
    last = row[-1]
    if line.baseline - last.baseline > TIGHT_EM * max(line.size, last.size):
        return False
    above = {run.first: run for run in last.runs}
    if not all(_wraps(above.get(run.first), run, edges) for run in line.runs if run.first in above):
        return False
    shared = [run for run in line.runs if run.first in above]
    if not shared:
        return False
    fresh = [run for run in line.runs if run.first not in above]
    stub = next((run for run in line.runs if run.first == 0), None)
    if stub is None:
        return not fresh and len(line.runs) < len({run.first for one in row for run in one.runs})
    hangs = 0 in above and stub.left > above[0].left + 0.4 * line.size
    if fresh or not (stub.text[:1].islower() or hangs):
        return bool(fresh) and len(row) == len(last.runs) == 1 and (stub.text[:1].islower() or hangs)
    return len(shared) == 1 or all(_words(above[run.first].text) >= LEAST_WRAPPED_WORDS for run in shared)


def _words(text: str) -> int:
    return text.count(" ") + 1


def _wraps(above: Placed | None, below: Placed, edges: Mapping[int, float]) -> bool:
    """Whether the first word of `below` would not have fitted at the end of `above`."""
    if above is None or is_figure(below.text) or above.last != below.last:
        return False
    first = below.run.words[0]
    if first.bold != above.run.words[-1].bold or _ANNOUNCES.search(above.text):
        return False
    return above.right + 0.3 * first.size + (first.right - first.left) > edges[above.last] - 0.2 * first.size

"""Where the columns of a table part: at vertical lines, and along corridors of white that its lines leave open."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from services.extraction.stages.words import Word

SPACE_EM = 0.52
"""Words nearer than this are one run of text, whatever the rest of the table looks like."""

NARROWEST_EM = 0.45
"""A corridor that enough lines leave open is no narrower than this."""

FEW_LINES = 4
NARROWEST_OF_FEW_EM = 0.9
CROSSED_SHARE = 0.3
"""Lines that may cross a corridor (heads over several columns), for each line that leaves it open."""

WIDEST_POINTS = 20_000


class Run(NamedTuple):
    """Words of one line that stand as close as words of a sentence do."""

    words: tuple[Word, ...]
    left: float
    right: float
    size: float


def _run(words: Sequence[Word]) -> Run:
    return Run(tuple(words), words[0].left, max([word.right for word in words]), max([word.size for word in words]))


def text_lines(words: Sequence[Word]) -> list[list[Word]]:
    """Words on one baseline, from top to bottom and from left to right."""
    lines: list[list[Word]] = []
    largest: Word | None = None
    for word in sorted(words, key=lambda word: (word.baseline, word.left)):
        if largest is not None and _on_line(largest, word):
            lines[-1].append(word)
            largest = word if word.size > largest.size else largest
        else:
            lines.append([word])
            largest = word
    return [sorted(line, key=lambda word: word.left) for line in _raised_joined(lines)]


def _on_line(first: Word, word: Word) -> bool:
    return abs(word.baseline - first.baseline) <= 0.3 * max(word.size, first.size)


def _raised_joined(lines: Sequence[list[Word]]) -> list[list[Word]]:
    """A line of small print that touches a word of the next or the last line (notes, exponents) belongs to it."""
    joined: list[list[Word]] = []
    for index, line in enumerate(lines):
        for other in (joined[-1] if joined else None, lines[index + 1] if index + 1 < len(lines) else None):
            if other is not None and _are_marks(line, other):
                other.extend(line)
                break
        else:
            joined.append(line)
    return joined


def _are_marks(line: Sequence[Word], other: Sequence[Word]) -> bool:
    size = max(word.size for word in other)
    if max(word.size for word in line) > 0.85 * size or len(line) >= len(other) + 2:
        return False
    return all(any(_is_mark_of(word, near, 0.25 * size) for near in other) for word in line)


def _is_mark_of(word: Word, near: Word, reach: float) -> bool:
    """Whether small print touches a word: raised behind it, or in front of it."""
    behind = -reach <= word.left - near.right <= reach and near.top - reach <= word.bottom <= near.bottom + 2 * reach
    before = -reach <= near.left - word.right <= reach and near.top <= word.bottom <= near.bottom
    return behind or before


def runs_of(line: Sequence[Word], walls: Sequence[float] = ()) -> list[Run]:
    """A line's words, parted at wide gaps and at `walls` (vertical lines)."""
    runs: list[list[Word]] = []
    last: Word | None = None
    for word in line:
        near = last is not None and word.left - last.right <= SPACE_EM * max(word.size, last.size)
        if last is None or not near or (walls and any(last.right - 1 <= wall <= word.left + 1 for wall in walls)):
            runs.append([word])
            last = word
        else:
            runs[-1].append(word)
            last = word if word.right > last.right else last
    return [_run(run) for run in runs]


def corridors(lines: Sequence[Sequence[Run]], narrowest: float = NARROWEST_EM) -> list[float]:
    """Where columns part. A line of one run says nothing of columns, where others say more.

    The answer is x positions inside stretches of white, each left open by two lines at least (by one, where there is only one).
    """
    several = [line for line in lines if len(line) > 1]
    lines = several if len(several) > 1 else lines
    spread = [(min(run.left for run in line), max(run.right for run in line)) for line in lines if line]
    if not spread:
        return []
    origin = int(min(left for left, _ in spread))
    width = int(max(right for _, right in spread)) - origin + 2
    if width > WIDEST_POINTS:
        return []
    covering = _count([(run.left, run.right) for line in lines for run in line], origin, width)
    spanning = _count(spread, origin, width)
    em = sorted(run.size for line in lines for run in line)[sum(map(len, lines)) // 2]
    return [origin + x for x in _open(covering, spanning, em, narrowest, min(2, len(spread)))]


def _count(intervals: Sequence[tuple[float, float]], origin: int, width: int) -> list[int]:
    change = [0] * (width + 2)
    for left, right in intervals:
        change[max(0, round(left) - origin)] += 1
        change[min(width, max(round(right), round(left) + 1) - origin)] -= 1
    return list(accumulate(change))[:width]


def _open(covering: Sequence[int], spanning: Sequence[int], em: float, narrowest: float, least_lines: int) -> list[float]:
    found: list[float] = []
    start: int | None = None
    for x in range(len(covering) + 1):
        open_here = x < len(covering) and _is_open(covering[x], spanning[x], least_lines)
        if open_here and start is None:
            start = x
        elif not open_here and start is not None:
            least = min(covering[start:x])
            best = [at for at in range(start, x) if covering[at] == least]
            support = max(spanning[at] - covering[at] for at in best)
            needed = narrowest if support >= FEW_LINES else max(narrowest, NARROWEST_OF_FEW_EM)
            if x - start >= needed * em:
                found.append((best[0] + best[-1] + 1) / 2)
            start = None
    return found


def _is_open(covering: int, spanning: int, least_lines: int) -> bool:
    support = spanning - covering
    return support >= least_lines and covering <= CROSSED_SHARE * support

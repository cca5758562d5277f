"""Repetition within a text, by the measures of Gopher (Rae et al. 2021, appendix A1.1, table A1)."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)


def top_share(words: Sequence[str], size: int) -> float:
    """Share of characters in the most frequent run of `size` words, where it occurs more than once."""
    runs = Counter(zip(*(islice(words, start, None) for start in range(size)), strict=False))
    if not runs:
        return 0.0
    run, times = max(runs.items(), key=lambda item: (item[1], sum(map(len, item[0]))))
    return times * sum(map(len, run)) / _letters(words) if times > 1 else 0.0


def duplicate_share(words: Sequence[str], size: int) -> float:
    """Share of characters in runs of `size` words that were said before, each word counted once."""
    seen: set[tuple[str, ...]] = set()
    repeated = 0
    counted = 0
    for start, run in enumerate(zip(*(islice(words, skip, None) for skip in range(size)), strict=False)):
        if run in seen:
            begin = max(start, counted)
            repeated += sum(map(len, words[begin : start + size]))
            counted = start + size
        else:
            seen.add(run)
    return repeated / _letters(words)


def _letters(words: Sequence[str]) -> int:
    return max(1, sum(map(len, words)))

"""Letters set apart one by one, as in spaced headings and in some code listings → the words that they spell."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from services.extraction.stages.words import Word

MIN_LETTERS = 4
MIN_GRID = 8
"""So many characters on one grid show that a font is monospaced."""

WIDEST_PITCH_EM = 0.9
OFF_GRID = 0.12
WIDEST_GAP_EM = 0.8
WORD_GAP = 1.6
"""A gap so many times the usual one between letters is a space."""


Pitches = dict[float, float]
"""Width of a character of the monospaced fonts of a page, by size, both in points."""


def with_letters_joined(words: Sequence[Word]) -> Sequence[Word]:
    """The words of a page; runs of single letters at even distances become words."""
    runs = _runs(words)
    long = [run for run in runs if len(run) >= MIN_LETTERS and _is_single(run[0])]
    if not long:
        return words
    pitches: Pitches = {}
    for run in long:
        if (pitch := _pitch(run)) is not None:
            pitches.setdefault(round(run[0].size, 1), pitch)
    return [word for run in runs for word in _spelled_out(run, pitches)]


def _runs(words: Sequence[Word]) -> list[list[Word]]:
    """Single letters beside each other, and every other word alone."""
    runs: list[list[Word]] = []
    last: Word | None = None
    for word in words:
        single = word if len(word.text) == 1 and _is_single(word) else None
        if last is not None and single is not None and _follows(last, word):
            runs[-1].append(word)
        else:
            runs.append([word])
        last = single
    return runs


def _is_single(word: Word) -> bool:
    return len(word.text) == 1 and not word.math and not word.turn


def _spelled_out(run: Sequence[Word], pitches: Pitches) -> Sequence[Word]:
    pitch = pitches.get(round(run[0].size, 1))
    if pitch is not None and (len(run) > 1 or not _is_single(run[0])):
        steps = [other.left - one.left for one, other in pairwise(run)]
        if _even(steps, pitch) and (steps or abs(run[0].right - run[0].left - pitch * len(run[0].text)) <= 1.2 * pitch):
            return _words(run, [step > 1.5 * pitch for step in steps], pitch)
    if len(run) >= MIN_LETTERS and sum(word.text.isalnum() for word in run) >= MIN_LETTERS:
        return _spaced_out(run) or run
    return run


def _follows(last: Word, word: Word) -> bool:
    same = abs(word.baseline - last.baseline) <= 0.5 and abs(word.size - last.size) <= 0.1
    return same and -0.2 * word.size <= word.left - last.right <= 12 * word.size


def _pitch(run: Sequence[Word]) -> float | None:
    """The width of a character, where characters stand on a grid: code. Steps that are left free are spaces."""
    steps = [other.left - one.left for one, other in pairwise(run)]
    near = sorted(step for step in steps if step > 0.2 * run[0].size)
    leaders = sum(word.text in ".·…" for word in run)
    if len(run) < MIN_GRID or len(near) < len(steps) or 2 * leaders > len(run):
        return None
    pitch = median(near[: max(1, len(near) // 2)])
    close = sum(step < 1.5 * pitch for step in steps)
    return pitch if pitch <= WIDEST_PITCH_EM * run[0].size and 2 * close >= len(steps) and _even(steps, pitch) else None


def _even(steps: Sequence[float], pitch: float) -> bool:
    return sum(abs(step / pitch - round(step / pitch)) <= OFF_GRID for step in steps) >= 0.9 * len(steps)


def _spaced_out(run: Sequence[Word]) -> list[Word] | None:
    """Letters with even gaps between them, wider than those of a word."""
    gaps = [other.left - one.right for one, other in pairwise(run)]
    usual = median(gaps)
    letters = sum(word.text.isalpha() for word in run)
    if not 0.08 * run[0].size <= usual <= WIDEST_GAP_EM * run[0].size or letters < 0.8 * len(run):
        return None
    even = sum(abs(gap - usual) <= 0.35 * usual for gap in gaps)
    if even < 0.6 * len(gaps):
        return None
    return _words(run, [gap > WORD_GAP * usual for gap in gaps], None)


def _words(run: Sequence[Word], parted: Sequence[bool], pitch: float | None) -> list[Word]:
    groups = [[run[0]]]
    for word, apart in zip(run[1:], parted, strict=True):
        if apart:
            groups.append([word])
        else:
            groups[-1].append(word)
    return [_whole(group, pitch) for group in groups]


def _whole(group: Sequence[Word], pitch: float | None) -> Word:
    first, text = group[0], "".join(word.text for word in group)
    return first._replace(
        text=text,
        top=min(word.top for word in group),
        right=max(word.right for word in group) if pitch is None else first.left + pitch * len(text),
        bottom=max(word.bottom for word in group),
        mono=pitch is not None or first.mono,
        spaced=first.spaced,
    )

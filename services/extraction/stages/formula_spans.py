"""Formulas inside lines of text: runs of words that make one, cut down to what belongs to it."""

import re
from collections.abc import Iterator, Sequence

from services.extraction.stages.formula_roles import Place
from services.extraction.stages.latex_symbols import ACCENTS, BIG, FUNCTIONS, RELATIONS

NEAR_EM = 0.9
"""Words of one formula are no farther apart than this along a line."""

TRAILING = re.compile(r"[.,;:!?]+\Z")
_OPERATOR = frozenset({*RELATIONS, *"+-−±×·⋅∗/∘"})


def spans_of(line: Sequence[Place], size: float) -> Iterator[list[Place]]:
    """Runs of words along a line that make a formula, cut down to what belongs to it."""
    run: list[Place] = []
    for place in line:
        joins = place.role != "text" or _is_script(run, place, size)
        if run and joins and place.word.left - max(other.word.right for other in run) <= NEAR_EM * size:
            run.append(place)
            continue
        yield from _trimmed(run, size)
        run = [place] if joins else []
    yield from _trimmed(run, size)


def _is_script(run: Sequence[Place], place: Place, size: float) -> bool:
    """Whether a word of text is a script of the formula that it touches ("max" under a letter)."""
    if not run or not any(other.role == "core" for other in run):
        return False
    last = run[-1].word
    return place.word.size <= 0.85 * size and len(place.word.text) <= 12 and abs(place.word.left - last.right) <= 0.2 * size


def _trimmed(run: list[Place], size: float) -> Iterator[list[Place]]:
    """Drops at both ends what is text after all: numbers and letters set apart, and signs without a partner."""
    run = list(run)
    while run and run[0].role != "core" and not _leads(run, size):
        run.pop(0)
    while run and run[-1].role != "core" and not _follows(run, size):
        run.pop()
    run = _balanced(run)
    cores = [place for place in run if place.role == "core"]
    letters = [place for place in cores if any(sign.isalnum() or sign in BIG or sign == "√" for sign in place.word.text)]
    if letters or (cores and len(run) >= 2 and any(c.isalnum() for place in run for c in place.word.text)):
        yield run


def _leads(run: Sequence[Place], size: float) -> bool:
    """Whether a neutral word at the front belongs to the formula behind it."""
    word, following = run[0].word, run[1:]
    if not following:
        return False
    if TRAILING.fullmatch(word.text):
        return False
    if word.text in ACCENTS:
        return True
    after = following[0].word
    touching = after.left - word.right <= 0.12 * size and not (
        after.spaced and after.size > 0.85 * size and after.left - word.right > 0.05 * size
    )
    operator = after.text[0] in _OPERATOR
    if word.text[0] in _OPERATOR and len(word.text) == 1:
        return touching
    if word.text.rstrip("(") in FUNCTIONS or (word.size <= 0.85 * size):
        return True
    return touching or operator


def _follows(run: Sequence[Place], size: float) -> bool:
    """Whether a neutral word at the end belongs to the formula before it."""
    word, before = run[-1].word, run[:-1]
    if not before or TRAILING.fullmatch(word.text):
        return False
    last = before[-1].word
    if word.size <= 0.85 * size and last.size >= word.size:
        return word.left - last.right <= 0.3 * size
    if word.text[0] in _OPERATOR and len(word.text) == 1:
        return False
    if last.text[-1] in _OPERATOR or (last.text[-1] == "," and before[-1].role == "core"):
        return not word.text.isalpha() or len(word.text) == 1
    text = "".join(place.word.text for place in before)
    if word.text[-1] in ")]" and text.count("(") + text.count("[") > text.count(")") + text.count("]"):
        return True
    return word.left - last.right <= 0.12 * size and not word.text[0].isalpha()


def _balanced(run: list[Place]) -> list[Place]:
    """A bracket at either end that has no partner inside is the text's."""
    text = "".join(place.word.text for place in run)
    while (
        run
        and run[-1].role != "core"
        and run[-1].word.text in (")", "]")
        and text.count(")") + text.count("]") > text.count("(") + text.count("[")
    ):
        run = run[:-1]
        text = "".join(place.word.text for place in run)
    while (
        run
        and run[0].role != "core"
        and run[0].word.text in ("(", "[")
        and text.count("(") + text.count("[") > text.count(")") + text.count("]")
    ):
        run = run[1:]
        text = "".join(place.word.text for place in run)
    return run

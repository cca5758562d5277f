"""Formulas on lines of their own: fragments of lines that are parts of one, side by side or above each other."""

from collections.abc import Iterator, Sequence

from services.extraction.stages.formula_roles import Place
from services.extraction.stages.latex_symbols import BIG, RELATIONS
from services.extraction.stages.words import Rule

MAX_WORDS = 400


def fragments(line: Sequence[Place], size: float) -> Iterator[list[Place]]:
    """Parts of a line with wide white between them: a formula and its number, columns."""
    fragment: list[Place] = []
    edge = 0.0
    for place in line:
        if fragment and place.word.left - edge > 2.2 * size:
            yield fragment
            fragment = []
        edge = max(edge, place.word.right) if fragment else place.word.right
        fragment.append(place)
    if fragment:
        yield fragment


def may_display(piece: Sequence[Place]) -> bool:
    """Whether a fragment holds nothing but parts of a formula; a word or two of text may stand in one."""
    letters = sum(len(place.word.text) for place in piece if place.role == "text")
    total = sum(len(place.word.text) for place in piece)
    return letters <= 0.2 * total and len(piece) <= MAX_WORDS and (letters == 0 or any(p.role == "core" for p in piece))


def are_one(zone: Sequence[Place], piece: Sequence[Place], size: float, rules: Sequence[Rule]) -> bool:
    """Whether two pieces are parts of one formula: side by side closely, or overlapping in height."""
    top, bottom = min(place.word.top for place in zone), max(place.word.bottom for place in zone)
    left, right = min(place.word.left for place in zone), max(place.word.right for place in zone)
    above, below = min(place.word.top for place in piece), max(place.word.bottom for place in piece)
    begin, end = min(place.word.left for place in piece), max(place.word.right for place in piece)
    if max(begin - right, left - end) > 1.2 * size:
        return False
    overlap = min(bottom, below) - max(top, above)
    proved = any(place.role == "core" for place in zone) and any(place.role == "core" for place in piece)
    if overlap > 0.12 * size and proved:
        return True
    barred = any(
        min(bottom, below) - 0.3 * size <= rule.top <= max(top, above) + 0.3 * size and rule.right > begin and rule.left < end
        for rule in rules
        if rule.right - rule.left <= (max(right, end) - min(left, begin)) + 2
    )
    sizes = max(place.word.size for place in piece), max(place.word.size for place in zone)
    scripts = min(sizes) <= 0.85 * max(sizes)
    return overlap > -0.45 * size and (barred or scripts)


def is_display(zone: Sequence[Place], rules: Sequence[Rule]) -> bool:
    cores = [place for place in zone if place.role == "core"]
    if not cores or len(zone) < 3:
        return False
    signs = {sign for place in zone for sign in place.word.text}
    return bool(signs & set(RELATIONS)) or bool(signs & BIG)

"""Formulas on lines of their own: fragments of lines that are parts of one, side by side or above each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one formula, or of a part of one, with the box around them and the largest size."""

    places: tuple[Place, ...]
    left: float
    top: float
    right: float
    bottom: float
    size: float
    proved: bool

    @staticmethod
    def of(places: Sequence[Place]) -> "Piece":
        words = [place.word for place in places]
        return Piece(
            places=tuple(places),
            left=min(word.left for word in words),
            top=min(word.top for word in words),
            right=max(word.right for word in words),
            bottom=max(word.bottom for word in words),
            size=max(word.size for word in words),
            proved=any(place.role == "core" for place in places),
        )

    def joined(self, other: "Piece") -> "Piece":
        return Piece(
            places=(*self.places, *other.places),
            left=min(self.left, other.left),
            top=min(self.top, other.top),
            right=max(self.right, other.right),
            bottom=max(self.bottom, other.bottom),
            size=max(self.size, other.size),
            proved=self.proved or other.proved,
        )


def are_one(one: Piece, other: Piece, size: float, rules: Sequence[Rule]) -> bool:
    """Whether two pieces are parts of one formula: side by side closely, or overlapping in height."""
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    if overlap <= -0.45 * size or max(other.left - one.right, one.left - other.right) > 1.2 * size:
        return False
    if overlap > 0.12 * size and one.proved and other.proved:
        return True
    if min(one.size, other.size) <= 0.85 * max(one.size, other.size):
        return True
    width = max(one.right, other.right) - min(one.left, other.left) + 2
    low, high = min(one.bottom, other.bottom) - 0.3 * size, max(one.top, other.top) + 0.3 * size
    return any(
        low <= rule.top <= high and rule.right > other.left and rule.left < other.right and rule.right - rule.left <= width
        for rule in rules
    )


def is_display(zone: Piece) -> bool:
    """Whether words make a formula of their own: three at least, with a relation or a large sign among them."""
    if not zone.proved or len(zone.places) < 3:
        return False
    signs = {sign for place in zone.places for sign in place.word.text}
    return bool(signs & set(RELATIONS)) or bool(signs & BIG)

"""Ligatures of which a font tells only the last letter ("inal" for "final"), known by the width of their glyph."""

from collections.abc import Iterable, Mapping

LIGATURES = {"i": ("fi", "ffi"), "l": ("fl", "ffl"), "f": ("ff",), "h": ("Th",), "j": ("fj",)}
"""What the last letter may stand for."""

MAY_BE_LIGATURES = frozenset("filhjT")
"""Letters whose widths are wanted: those that ligatures end in, and those that they are made of."""

NARROWEST, USUAL, WIDEST = 0.72, 0.9, 1.08
"""A ligature's width over that of its letters set apart; in text faces it is up to a quarter narrower."""

WIDER = 1.35
"""The glyph is at least so many times as wide as its letter is elsewhere."""

_KNOWN = ("fi", "fl", "ff", "\ufb00", "\ufb01", "\ufb02", "\ufb03", "\ufb04")


def may_lack_ligatures(words: Iterable[str]) -> bool:
    """Whether a font's text on a page has letters that ligatures end in, and no ligature."""
    text = " ".join(words)
    return any(letter in text for letter in "ilfh") and not any(known in text for known in _KNOWN)


def lost_ligature(letter: str, width: float, widths: Mapping[str, float]) -> str | None:
    """The ligature that a glyph of `width` stands for, given the usual width of each letter of its font (any unit)."""
    usual = widths.get(letter)
    if letter not in LIGATURES or not usual or width < WIDER * usual:
        return None
    shares = ((width / _apart(whole, widths, usual), whole) for whole in LIGATURES[letter])
    fitting = [(abs(share - USUAL), whole) for share, whole in shares if NARROWEST <= share <= WIDEST]
    return min(fitting)[1] if fitting else None


def _apart(whole: str, widths: Mapping[str, float], last: float) -> float:
    """The width of a ligature's letters set apart. An `f` not seen is guessed from the last letter."""
    guesses = {"f": 1.2 * last if whole[-1] != "f" else last, "T": 1.2 * last}
    return sum(widths.get(letter, guesses.get(letter, last)) for letter in whole)

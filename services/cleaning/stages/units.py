"""Pieces → units: the sentences (and lines of tables and code) that chunks are made of, joined over page breaks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import Box, Piece

LOOK_AHEAD = 4
"""So many tables, formulas and the like may stand between the halves of a paragraph."""

MOST_FLOATS = 200
"""A section without end does not hold back its captions for ever."""

MIN_OPEN_WORDS = 8
"""A paragraph of so many words that ends without punctuation was cut off; fewer may be a label."""

_TERMINAL = re.compile(r"[.!?:;…][\"'”’)\]]*\Z")
_TORN = re.compile(r"[^\W\d_][-\u2010]\Z")
_BY_LINE = ("table", "code")
_SPANNED = ("table", "code", "formula")
_ENDED = re.compile(r"[.;]\s*(?:\\\]|\$\$|\\end\{[a-z*]{1,20}\}|\s){0,4}\Z")
_RULE = re.compile(r"\|?(?:\s*:?-{2,}:?\s*\|?)+")
_FLOATS = ("caption", "footnote")


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `start:end` of a unit, and where they stand."""

    page: int
    box: Box | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or a line. `before` is what parts it from the unit before it in a chunk, `head` the head of its table."""

    text: str
    parts: tuple[Part, ...]
    section: tuple[str, ...]
    before: str
    flags: frozenset[str] = frozenset()
    head: "Unit | None" = None


def units(pieces: Iterable[Piece]) -> Iterator[Unit]:
    """The units of a document in reading order. Headings are no units: they are the units' sections."""
    for group in paragraphs(_floats_last(pieces)):
        if group:
            yield from _by_line(group[0]) if group[0].kind in _BY_LINE else _by_sentence(group)


def _floats_last(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Captions and notes at the end of their section, where they interrupt no one."""
    held: list[Piece] = []
    section: tuple[str, ...] | None = None
    for piece in pieces:
        if piece.section != section or len(held) >= MOST_FLOATS:
            yield from held
            held, section = [], piece.section
        if piece.kind in _FLOATS:
            held.append(piece)
        else:
            yield piece
    yield from held


def paragraphs(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces one by one, but for paragraphs that continue over a page or column break, whose pieces come together."""
    waiting: list[Piece] = []
    for piece in pieces:
        waiting.append(piece)
        while len(waiting) > LOOK_AHEAD:
            yield _next(waiting)
    while waiting:
        yield _next(waiting)


def _next(waiting: list[Piece]) -> list[Piece]:
    group = [waiting.pop(0)]
    while (index := _continuation(group[-1], waiting)) is not None:
        group.append(waiting.pop(index))
    return group if group[0].kind != "heading" else []


def _continuation(piece: Piece, following: list[Piece]) -> int | None:
    """Which of the following pieces goes on with a sentence that was cut off, by a formula or by a break of page or column."""
    if not following or piece.kind not in ("paragraph", "list", "formula"):
        return None
    if piece.kind == "formula":
        return 0 if _after_formula(piece, following[0]) else None
    if _TERMINAL.search(piece.text):
        return None
    if following[0].kind == "formula" and following[0].section == piece.section:
        return 0
    index = next((index for index, other in enumerate(following) if other.kind not in _SPANNED), None)
    return index if index is not None and _goes_on(piece, following[index]) else None


def _goes_on(piece: Piece, other: Piece) -> bool:
    """Whether a paragraph is the other half of one that was cut off."""
    near = other.kind == "paragraph" and other.section == piece.section and other.page - piece.page in (0, 1)
    small = other.text[:1].islower() and _is_open(piece.text)
    return near and _takes_up(piece.text, other.text) and (small or _moves_on(piece, other))


def _after_formula(formula: Piece, other: Piece) -> bool:
    """Whether text, or one more formula, goes on with the sentence that a formula stands in."""
    if other.section != formula.section or _ENDED.search(formula.text):
        return False
    return other.kind == "formula" or (other.kind == "paragraph" and other.text[:1].islower())


def _takes_up(text: str, following: str) -> bool:
    """A small letter goes on; after many words without an end, so does a name, a number or a bracket."""
    if following[:1].islower():
        return True
    return _is_open(text) and not following.startswith(("|", "#", "•"))


def _is_open(text: str) -> bool:
    return len(text.split()) >= MIN_OPEN_WORDS and (text[-1:].islower() or text[-1:] in ",-")


def _moves_on(piece: Piece, other: Piece) -> bool:
    """Whether a break of page or column lies between two pieces; without boxes only the text can say."""
    if piece.box is None or other.box is None or piece.page != other.page:
        return True
    return other.box[1] < piece.box[3] or other.box[1] - piece.box[3] > 30


def _by_line(piece: Piece) -> Iterator[Unit]:
    """Lines of code, or rows of a table: the first row comes with the table's head, the others know it."""
    lines = [line for line in piece.text.split("\n") if line.strip()]
    if lines[-1:] == ["</table>"] and len(lines) > 1:
        lines[-2:] = ["\n".join(lines[-2:])]
    head = _line("\n".join(lines[:2]), piece, "\n\n") if piece.kind == "table" and _is_headed(lines) else None
    begins = 3 if head else 1
    yield _line("\n".join(lines[:begins]), piece, "\n\n")
    for line in lines[begins:]:
        yield _line(line, piece, "\n", head)


def _line(text: str, piece: Piece, before: str, head: Unit | None = None) -> Unit:
    return Unit(text, (Part(piece.page, piece.box, 0, len(text)),), piece.section, before, frozenset(piece.flags), head)


def _is_headed(lines: list[str]) -> bool:
    return len(lines) > 2 and (lines[0] == "<table>" or _RULE.fullmatch(lines[1].strip()) is not None)


def _by_sentence(group: list[Piece]) -> Iterator[Unit]:
    text, places = _joined(group)
    before = "\n" if group[0].kind == "list" else "\n\n"
    flags = frozenset(flag for piece in group for flag in piece.flags)
    alone = group[0].kind == "formula" and len(group) == 1
    for start, end in [(0, len(text))] if alone else sentence_spans(text):
        parts = tuple(
            Part(piece.page, piece.box, max(left, start) - start, min(right, end) - start)
            for piece, left, right in places
            if left < end and right > start
        )
        yield Unit(text[start:end], parts, group[0].section, before, flags)
        before = " "


def _joined(group: list[Piece]) -> tuple[str, list[tuple[Piece, int, int]]]:
    """The text of a paragraph, and which of its characters come from which piece."""
    text = ""
    places: list[tuple[Piece, int, int]] = []
    for index, piece in enumerate(group):
        if text and _TORN.search(text):
            text = text[:-1]
            last, left, _ = places[-1]
            places[-1] = (last, left, len(text))
        elif text:
            text += "\n\n" if "formula" in (piece.kind, group[index - 1].kind) else " "
        places.append((piece, len(text), len(text) + len(piece.text)))
        text += piece.text
    return text, places

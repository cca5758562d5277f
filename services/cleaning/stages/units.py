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

_TERMINAL = re.compile(r"[.!?:;…][\"'”’)\]]*\Z")
_TORN = re.compile(r"[^\W\d_][-\u2010]\Z")
_BY_LINE = ("table", "code", "formula")
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
    """A sentence or a line. `before` is what parts it from the unit before it in a chunk."""

    text: str
    parts: tuple[Part, ...]
    section: tuple[str, ...]
    before: str


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
    """Which of the following pieces goes on with a paragraph that was cut off."""
    if piece.kind not in ("paragraph", "list") or _TERMINAL.search(piece.text):
        return None
    for index, other in enumerate(following):
        if other.kind == "paragraph":
            near = other.section == piece.section and other.page - piece.page in (0, 1)
            return index if near and other.text[:1].islower() and _moves_on(piece, other) else None
        if other.kind not in _BY_LINE:
            return None
    return None


def _moves_on(piece: Piece, other: Piece) -> bool:
    """Whether a break of page or column lies between two pieces; without boxes only the text can say."""
    if piece.box is None or other.box is None or piece.page != other.page:
        return True
    return other.box[1] < piece.box[3] or other.box[1] - piece.box[3] > 30


def _by_line(piece: Piece) -> Iterator[Unit]:
    first = True
    for line in piece.text.split("\n"):
        if line.strip():
            parts = (Part(piece.page, piece.box, 0, len(line)),)
            yield Unit(line, parts, piece.section, "\n\n" if first else "\n")
            first = False


def _by_sentence(group: list[Piece]) -> Iterator[Unit]:
    if not group:
        return
    text, places = _joined(group)
    before = "\n" if group[0].kind == "list" else "\n\n"
    for start, end in sentence_spans(text):
        parts = tuple(
            Part(piece.page, piece.box, max(left, start) - start, min(right, end) - start)
            for piece, left, right in places
            if left < end and right > start
        )
        yield Unit(text[start:end], parts, group[0].section, before)
        before = " "


def _joined(group: list[Piece]) -> tuple[str, list[tuple[Piece, int, int]]]:
    """The text of a paragraph, and which of its characters come from which piece."""
    text = ""
    places: list[tuple[Piece, int, int]] = []
    for piece in group:
        if text and _TORN.search(text):
            text = text[:-1]
            last, left, _ = places[-1]
            places[-1] = (last, left, len(text))
        elif text:
            text += " "
        places.append((piece, len(text), len(text) + len(piece.text)))
        text += piece.text
    return text, places

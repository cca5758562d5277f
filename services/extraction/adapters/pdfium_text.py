"""The characters of one page as words. Calls into PDFium are the cost here: text comes at once, boxes once a word."""

import ctypes
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import atan2, degrees, hypot
from typing import NamedTuple

import pypdfium2.raw as pdfium

from services.extraction.adapters.frame import Frame
from services.extraction.adapters.pdfium_fonts import FontTraits, font_traits
from services.extraction.stages.ligatures import MAY_BE_LIGATURES, lost_ligature, may_lack_ligatures
from services.extraction.stages.words import Word

TORN = "\x02\ufffe"
"""PDFium's marks for a hyphen that breaks a word at the end of a line."""

UPRIGHT_DEGREES = 10
"""Text turned by no more than this off a right angle counts as turned by the right angle."""

_WORD = re.compile(rf"[^\s{TORN}]+[{TORN}]?|[{TORN}]")
_TORN_LINE = re.compile(rf"[{TORN}]\s*")
_LINE_END = re.compile(r"[\r\n]")
_SURROGATES = re.compile(r"[\ud800-\udfff]+")
_SIGNS = re.compile(r"[A-Za-z]+|\d+|[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)


def _fast(function: object, *arguments: type) -> "ctypes._CFunctionType":
    """A PDFium function that takes and gives bare addresses: ctypes then makes no object a call."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, *arguments)(address)


_object_at = _fast(pdfium.FPDFText_GetTextObject)
_box_at = _fast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p)
_origin_at = _fast(pdfium.FPDFText_GetCharOrigin, ctypes.c_void_p, ctypes.c_void_p)


def page_characters(text_page: object) -> str:
    """All characters of a page, one for each of PDFium's indexes; NUL where it knows none."""
    count = pdfium.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    units = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(0, units - 1)].decode("utf-16-le", "surrogatepass")
    if len(text) == count:
        return text
    unicode_at = pdfium.FPDFText_GetUnicode
    return "".join(chr(min(unicode_at(text_page, index), 0x10FFFF)) for index in range(count))


def mended(characters: str) -> str:
    """A page's characters as plain text: lines, with words torn at their ends made whole."""
    return _clean(_TORN_LINE.sub("", characters.replace("\r\n", "\n")))


class _Look(NamedTuple):
    """How the characters of one text object look: font, size in points as seen, and turn in clockwise degrees."""

    font: FontTraits
    size: float
    turn: int


class _Piece(NamedTuple):
    """Characters `first` to `last` of the page, of one look, that stand together."""

    first: int
    last: int
    look: _Look
    spaced: bool
    starts_line: bool
    torn: bool


class TextReader:
    """Reads the words of one page. `fonts` is shared by the pages of a document: traits by the font's address."""

    def __init__(self, text_page: object, frame: Frame, fonts: dict[int, FontTraits]) -> None:
        self._page, self._frame, self._fonts = text_page, frame, fonts
        self._address = ctypes.cast(text_page, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
        self._looks: dict[int | None, _Look] = {}
        self._box, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._upright, self._left, self._top = frame.rotation == 0, frame.left, frame.top
        self._at_box, self._at_x, self._at_y = map(ctypes.addressof, (self._box, self._x, self._y))

    def words(self) -> list[Word]:
        text = page_characters(self._page)
        pieces = [piece for piece in self._pieces(text) if not piece.look.font.drawing]
        spelled = [text[piece.first : piece.last + 1] for piece in pieces]
        for index, better in self._ligatures(pieces, spelled):
            spelled[index] = better
        words = [self._word(piece, _clean(one, piece.look.font)) for piece, one in zip(pieces, spelled, strict=True)]
        return [word for word in words if word.text]

    def _pieces(self, text: str) -> list[_Piece]:
        """Words, parted where their look changes."""
        pieces: list[_Piece] = []
        address, looks = self._address, self._looks
        end, torn = 0, True
        for found in _WORD.finditer(text):
            start, before = found.start(), end
            spaced = torn or start > before
            starts_line = torn or (start > before and _LINE_END.search(text, before, start) is not None)
            end = found.end()
            torn = text[end - 1] in TORN
            at = _object_at(address, start)
            look = looks.get(at) or self._look(at, start)
            if not look.font.math and (end - start == 1 or _object_at(address, end - 1) == at):
                pieces.append(_Piece(start, end - 1, look, spaced, starts_line, torn))
                continue
            for first, last, part in self._looks_of(text, start, end - 1):
                pieces.append(_Piece(first, last, part, spaced, starts_line, torn and last == end - 1))
                spaced = starts_line = False
        return pieces

    def _looks_of(self, text: str, first: int, last: int) -> Iterator[tuple[int, int, _Look]]:
        """Where looks change inside a word. Each sign of a formula stands alone, since its place matters."""
        if self._look_at(first).font.math or self._look_at(last).font.math:
            for sign in _SIGNS.finditer(text, first, last + 1):
                yield from self._parted(sign.start(), sign.end() - 1)
        else:
            yield from self._parted(first, last)

    def _parted(self, first: int, last: int) -> Iterator[tuple[int, int, _Look]]:
        """Characters parted where looks change."""
        start, look = first, self._look_at(first)
        for index in range(first + 1, last + 1):
            other = self._look_at(index)
            if other is not look and (other.font != look.font or abs(other.size - look.size) > 0.05 or other.turn != look.turn):
                yield start, index - 1, look
                start, look = index, other
        yield start, last, look

    def _look_at(self, index: int) -> _Look:
        at = _object_at(self._address, index)
        return self._looks.get(at) or self._look(at, index)

    def _look(self, text_object: int | None, index: int) -> _Look:
        look = self._looks[text_object] = _Look(self._font(text_object), *self._size_and_turn(index))
        return look

    def _font(self, text_object: int | None) -> FontTraits:
        font = pdfium.FPDFTextObj_GetFont(ctypes.cast(text_object, pdfium.FPDF_PAGEOBJECT)) if text_object else None
        if not font:
            return FontTraits()
        address = ctypes.addressof(font.contents)
        if address not in self._fonts:
            self._fonts[address] = font_traits(font)
        return self._fonts[address]

    def _size_and_turn(self, index: int) -> tuple[float, int]:
        matrix, size = self._matrix, float(pdfium.FPDFText_GetFontSize(self._page, index))
        if not pdfium.FPDFText_GetMatrix(self._page, index, matrix):
            return size, 0
        turn = (self._frame.rotation - degrees(atan2(matrix.b, matrix.a))) % 360
        nearest = round(turn / 90) * 90
        return size * (hypot(matrix.c, matrix.d) or 1.0), nearest % 360 if abs(turn - nearest) <= UPRIGHT_DEGREES else 0

    def _word(self, piece: _Piece, text: str) -> Word:
        first, last, look, spaced, starts_line, torn = piece
        font = look.font
        left, top, right, bottom = self._around(first)
        if last != first:
            left2, top2, right2, bottom2 = self._around(last)
            left = left if left < left2 else left2
            top = top if top < top2 else top2
            right = right if right > right2 else right2
            bottom = bottom if bottom > bottom2 else bottom2
        _origin_at(self._address, first, self._at_x, self._at_y)
        if self._upright:
            x, y = self._x.value - self._left, self._top - self._y.value
        else:
            x, y = self._frame.point(self._x.value, self._y.value)
        return Word(
            text, left, top, right, bottom, y if look.turn in (0, 180) else x, look.size,
            font.bold, font.mono, spaced, starts_line, torn, font.italic, font.math, look.turn,
        )  # fmt: skip

    def _around(self, index: int) -> tuple[float, float, float, float]:
        box = self._box
        _box_at(self._address, index, self._at_box)
        if self._upright:
            return box.left - self._left, self._top - box.top, box.right - self._left, self._top - box.bottom
        return self._frame.box(box.left, box.bottom, box.right, box.top)

    def _ligatures(self, pieces: Sequence[_Piece], spelled: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Words whose fonts say only the last letter of a ligature, told by the width of the glyph: place and spelling."""
        if not self._upright:
            return
        by_font: dict[str, list[int]] = defaultdict(list)
        for index, piece in enumerate(pieces):
            by_font[piece.look.font.key].append(index)
        for indexes in by_font.values():
            if may_lack_ligatures(spelled[index] for index in indexes):
                yield from self._respelled(pieces, spelled, indexes)

    def _respelled(self, pieces: Sequence[_Piece], spelled: Sequence[str], indexes: Sequence[int]) -> Iterator[tuple[int, str]]:
        widths: dict[str, float] = {}
        glyphs: list[tuple[int, int, str, float]] = []
        for index in indexes:
            piece = pieces[index]
            if piece.look.turn or piece.look.size <= 0:
                continue
            for offset, letter in enumerate(spelled[index]):
                if letter in MAY_BE_LIGATURES and self._stands_alone(piece, offset):
                    width = (self._box.right - self._box.left) / piece.look.size
                    widths[letter] = min(width, widths.get(letter, width))
                    glyphs.append((index, offset, letter, width))
        found: dict[int, str] = {}
        for index, offset, letter, width in reversed(glyphs):
            if whole := lost_ligature(letter, width, widths):
                text = found.get(index, spelled[index])
                found[index] = text[:offset] + whole + text[offset + 1 :]
        yield from found.items()

    def _stands_alone(self, piece: _Piece, offset: int) -> bool:
        """Whether a letter has a box of its own; PDFium gives the letters of a known ligature one box. Leaves it in `_box`."""
        index, box = piece.first + offset, self._box
        for neighbour in (index - 1, index + 1):
            if piece.first <= neighbour <= piece.last:
                _box_at(self._address, neighbour, self._at_box)
                edges = (box.left, box.right)
                _box_at(self._address, index, self._at_box)
                if edges == (box.left, box.right):
                    return False
        _box_at(self._address, index, self._at_box)
        return True


def _clean(text: str, font: FontTraits | None = None) -> str:
    """Marks replaced, and pairs of UTF-16 halves joined; a half without its other is a replacement character."""
    if font is not None and font.codes:
        text = text.translate(font.codes)
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\0", "").replace("\x02", "-").replace("\ufffe", "-")
    if _SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text

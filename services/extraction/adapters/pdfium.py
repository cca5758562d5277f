"""The PDF parser: pypdfium2 (PDFium, Apache-2.0/BSD), from bytes to words with boxes and fonts."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot, isfinite
from pathlib import Path
from types import TracebackType

import pypdfium2
import pypdfium2.raw as pdfium

from services.extraction.stages.glyphs import RawPage, Word
from shared.contracts.work import Rejected

SPACES = frozenset((0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x2002, 0x2003, 0x2009, 0x200A, 0x202F, 0x3000))
TORN = 0x02
"""PDFium's mark for a hyphen that breaks a word at the end of a line."""

FARTHEST_POINTS = 1e6

LOOKED_INTO_BYTES = 1 << 20
_EMPTY_TREE = re.compile(rb"/Type\s*/Pages\b[^>]{0,200}/Count\s+0\b|/Count\s+0\b[^>]{0,200}/Type\s*/Pages\b")

FIXED_PITCH, FORCE_BOLD = 1 << 0, 1 << 18
BOLD_NAMES = ("bold", "black", "heavy", "demi", "-medi", "cmbx", "sfbx", "cmssbx", "lmbx")
MONO_NAMES = ("mono", "courier", "consol", "typewriter", "cmtt", "sftt", "hack", "menlo", "sourcecode", "inconsolata")


class PageUnreadable(Exception):
    """One page cannot be read; the others may."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A page's visible box in PDF space and how it is turned (clockwise degrees)."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int

    @property
    def size(self) -> tuple[float, float]:
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """PDF space (origin bottom left, unturned) → the page as it is seen, origin top left."""
        x, y = x - self.left, y - self.bottom
        width, height = self.right - self.left, self.top - self.bottom
        match self.rotation:
            case 90:
                return y, x
            case 180:
                return width - x, y
            case 270:
                return height - y, width - x
            case _:
                return x, height - y


def open_pdf(path: Path, max_pages: int) -> "PdfFile | Rejected":
    """A document ready to be read, or why not."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        return _refusal(error, path)
    pages = len(document)
    if pages == 0:
        document.close()
        return _no_pages()
    if pages > max_pages:
        document.close()
        return Rejected(
            reason="too-many-pages",
            detail=f"The PDF has {pages} pages and the limit is {max_pages}. Split it, or raise `max_pages` of the collection.",
        )
    return PdfFile(document, pages)


def _no_pages() -> Rejected:
    return Rejected(reason="no-pages", detail="The PDF has no pages. Export it again from its source.")


def _is_without_pages(path: Path) -> bool:
    """PDFium calls a document without pages damaged. Where nothing is hidden in object streams, its text tells."""
    with path.open("rb") as file:
        text = file.read(LOOKED_INTO_BYTES + 1)
    whole = len(text) <= LOOKED_INTO_BYTES and b"%%EOF" in text and b"/ObjStm" not in text
    return whole and _EMPTY_TREE.search(text) is not None


def _refusal(error: pypdfium2.PdfiumError, path: Path) -> Rejected:
    if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
        return Rejected(reason="encrypted", detail="The PDF needs a password. Save a copy without one and upload that.")
    if getattr(error, "err_code", None) == pdfium.FPDF_ERR_SECURITY:
        return Rejected(
            reason="encrypted", detail="The PDF is encrypted in a way that is not supported. Save a copy without encryption."
        )
    if _is_without_pages(path):
        return _no_pages()
    return Rejected(reason="damaged", detail="The PDF cannot be opened: it is damaged or cut off. Export or download it again.")


class PdfFile:
    """An open PDF, read a page at a time."""

    def __init__(self, document: pypdfium2.PdfDocument, pages: int) -> None:
        self._document = document
        self.pages = pages

    def __enter__(self) -> "PdfFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._document.close()

    def page(self, number: int) -> RawPage:
        """Page `number`, from 1. Raises PageUnreadable."""
        try:
            page = self._document[number - 1]
            text = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise PageUnreadable(str(error)) from error
        try:
            left, bottom, right, top = page.get_bbox()
            frame = Frame(left, bottom, right, top, page.get_rotation())
            width, height = frame.size
            if not (0 < width < FARTHEST_POINTS and 0 < height < FARTHEST_POINTS):
                raise PageUnreadable("the page has no sensible size")
            words = tuple(word for word in _Reader(text.raw, frame).words() if _visible(word, width, height))
            return RawPage(number=number, width=width, height=height, words=words)
        finally:
            text.close()
            page.close()


def _visible(word: Word, width: float, height: float) -> bool:
    """Whether some of a word lies on the page; what is nowhere (NaN, infinite) does not."""
    numbers = (word.left, word.top, word.right, word.bottom, word.baseline, word.size)
    on_page = word.right > 0 and word.bottom > 0 and word.left < width and word.top < height
    return on_page and all(map(isfinite, numbers)) and abs(word.left) + abs(word.right) < FARTHEST_POINTS


class _Reader:
    """Reads the characters of one page. Calls into PDFium are the cost here, so boxes are asked for once a word."""

    def __init__(self, text_page: object, frame: Frame) -> None:
        self._page = text_page
        self._frame = frame
        self._fonts: dict[int, tuple[bool, bool]] = {}
        self._box, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()

    def words(self) -> Iterator[Word]:
        page, unicode_of, size_of = self._page, pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetFontSize
        start, size = -1, 0.0
        codes: list[int] = []
        spaced = line = True
        for index in range(pdfium.FPDFText_CountChars(page)):
            code = unicode_of(page, index)
            if code in SPACES:
                if codes:
                    yield self._word(codes, start, index - 1, spaced, line)
                    codes, spaced, line = [], False, False
                spaced = True
                line = line or code in (0x0A, 0x0D)
                continue
            now = size_of(page, index)
            if codes and abs(now - size) > 0.05:
                yield self._word(codes, start, index - 1, spaced, line)
                codes, spaced, line = [], False, False
            if not codes:
                start, size = index, now
            if code == TORN:
                yield self._word([*codes, 0x2D], start, index, spaced, line, hyphenated=True)
                codes, spaced, line = [], True, True
            elif code:
                codes.append(code)
        if codes:
            yield self._word(codes, start, index, spaced, line)

    def _word(self, codes: list[int], first: int, last: int, spaced: bool, line: bool, hyphenated: bool = False) -> Word:
        corners = [*self._corners(first), *self._corners(last)]
        pdfium.FPDFText_GetCharOrigin(self._page, first, self._x, self._y)
        _, baseline = self._frame.point(self._x.value, self._y.value)
        bold, mono = self._font(first)
        return Word(
            text=_spelled(codes),
            left=min(x for x, _ in corners), top=min(y for _, y in corners),
            right=max(x for x, _ in corners), bottom=max(y for _, y in corners),
            baseline=baseline, size=self._size(first), bold=bold, mono=mono,
            spaced=spaced, starts_line=line, hyphenated=hyphenated,
        )  # fmt: skip

    def _corners(self, index: int) -> tuple[tuple[float, float], tuple[float, float]]:
        box = self._box
        pdfium.FPDFText_GetLooseCharBox(self._page, index, box)
        return self._frame.point(box.left, box.bottom), self._frame.point(box.right, box.top)

    def _size(self, index: int) -> float:
        """Points as seen: the font's size times the scale of its matrix."""
        matrix = self._matrix
        size = pdfium.FPDFText_GetFontSize(self._page, index)
        if not pdfium.FPDFText_GetMatrix(self._page, index, matrix):
            return float(size)
        return float(size) * (hypot(matrix.c, matrix.d) or 1.0)

    def _font(self, index: int) -> tuple[bool, bool]:
        """Whether the font of a character is bold, and whether it is monospaced."""
        text_object = pdfium.FPDFText_GetTextObject(self._page, index)
        font = pdfium.FPDFTextObj_GetFont(text_object) if text_object else None
        if not font:
            return False, False
        address = ctypes.addressof(font.contents)
        if address not in self._fonts:
            self._fonts[address] = _font_traits(font)
        return self._fonts[address]


def _font_traits(font: object) -> tuple[bool, bool]:
    buffer = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, buffer, 128)
    name = buffer.value.decode("utf-8", "replace").rpartition("+")[2].lower()
    flags = pdfium.FPDFFont_GetFlags(font)
    bold = any(part in name for part in BOLD_NAMES) or bool(flags > 0 and flags & FORCE_BOLD)
    return bold, any(part in name for part in MONO_NAMES) or bool(flags > 0 and flags & FIXED_PITCH)


def _spelled(codes: list[int]) -> str:
    """Code points and UTF-16 halves → text; a half without its other is a replacement character."""
    if all(code < 0xD800 for code in codes):
        return "".join(map(chr, codes))
    units = b"".join(chr(min(code, 0x10FFFF)).encode("utf-16-le", "surrogatepass") for code in codes)
    return units.decode("utf-16-le", "replace")

"""The PDF parser: pypdfium2 (PDFium, Apache-2.0/BSD), from bytes to words with boxes and fonts."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pypdfium2
import pypdfium2.raw as pdfium

from services.extraction.adapters.frame import Frame
from services.extraction.adapters.pdfium_fonts import FontTraits
from services.extraction.adapters.pdfium_links import metadata, outline, page_links
from services.extraction.adapters.pdfium_rules import page_drawings
from services.extraction.adapters.pdfium_text import TextReader, mended, page_characters
from services.extraction.stages.glyphs import RawPage, Word
from shared.contracts.documents import OutlineEntry
from shared.contracts.work import Rejected

FARTHEST_POINTS = 1e6

LOOKED_INTO_BYTES = 1 << 20
_EMPTY_TREE = re.compile(rb"/Type\s*/Pages\b[^>]{0,200}/Count\s+0\b|/Count\s+0\b[^>]{0,200}/Type\s*/Pages\b")


class PageUnreadable(Exception):
    """One page cannot be read; the others may."""


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
        self._fonts: dict[int, FontTraits] = {}
        self.pages = pages

    def __enter__(self) -> "PdfFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._document.close()

    def page(self, number: int) -> RawPage:
        """Page `number`, from 1. Raises PageUnreadable."""
        with self._opened(number) as (page, text):
            left, bottom, right, top = page.get_bbox()
            frame = Frame(left, bottom, right, top, page.get_rotation())
            width, height = frame.size
            if not (0 < width < FARTHEST_POINTS and 0 < height < FARTHEST_POINTS):
                raise PageUnreadable("the page has no sensible size")
            rules, curves = page_drawings(page.raw, frame)
            words = TextReader(text.raw, frame, self._fonts).words()
            return RawPage(
                number=number,
                width=width,
                height=height,
                words=_visible(words, width, height),
                rules=rules,
                curves=curves,
                links=tuple(page_links(self._document, page, frame)),
            )

    def outline(self) -> tuple[OutlineEntry, ...]:
        return outline(self._document)

    def metadata(self) -> dict[str, str]:
        return metadata(self._document)

    def plain_text(self, number: int) -> str:
        """The characters of page `number`, from 1, in the order of its content, torn words mended. Raises PageUnreadable."""
        with self._opened(number) as (_, text):
            return mended(page_characters(text.raw))

    @contextmanager
    def _opened(self, number: int) -> Iterator[tuple[pypdfium2.PdfPage, pypdfium2.PdfTextPage]]:
        try:
            page = self._document[number - 1]
            text = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise PageUnreadable(str(error)) from error
        try:
            yield page, text
        finally:
            text.close()
            page.close()


def _visible(words: Iterable[Word], width: float, height: float) -> tuple[Word, ...]:
    """Words of which some lies on the page; what is nowhere (NaN, infinite) does not."""
    far = FARTHEST_POINTS
    return tuple(
        [
            word
            for word in words
            if 0 < word.right < far and 0 < word.bottom < far and -far < word.left < width and -far < word.top < height
            and -far < word.baseline < far and word.size < far
        ]
    )  # fmt: skip

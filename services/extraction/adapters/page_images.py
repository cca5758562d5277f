"""Pages as pictures: what they show beside text, and renderings of them, by PDFium. Opened only for pages that need it."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium

from services.extraction.stages.routing import Marks

if TYPE_CHECKING:
    from PIL import Image

POINTS_PER_INCH = 72
LOWEST_DPI = 72
MAX_OBJECTS = 5_000
MAX_DEPTH = 3


class PageUnseen(Exception):
    """A page cannot be made a picture; the message says why."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page in grey, as it is seen; `width` and `height` in points."""

    image: "Image.Image"
    dpi: float
    width: float
    height: float


class PageImages:
    """A document's pages as pictures. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._document: pypdfium2.PdfDocument | None = None

    def __enter__(self) -> "PageImages":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._document is not None:
            self._document.close()

    def marks(self, number: int) -> Marks:
        """What page `number`, from 1, shows beside text. Raises PageUnseen."""
        page = self._page(number)
        try:
            return _marks(page)
        except pypdfium2.PdfiumError as error:
            raise PageUnseen(f"the page's objects cannot be read: {error}") from error
        finally:
            page.close()

    def render(self, number: int, dpi: int, max_pixels: int) -> PageImage:
        """Page `number`, from 1, at `dpi` or as near to it as `max_pixels` allow. Raises PageUnseen."""
        page = self._page(number)
        try:
            width, height = page.get_size()
            reached = _dpi(width, height, dpi, max_pixels)
            bitmap = page.render(scale=reached / POINTS_PER_INCH, grayscale=True, may_draw_forms=False)
            return PageImage(bitmap.to_pil().convert("L"), reached, width, height)
        except (pypdfium2.PdfiumError, MemoryError, ValueError) as error:
            raise PageUnseen(f"the page cannot be drawn: {error}") from error
        finally:
            page.close()

    def _page(self, number: int) -> pypdfium2.PdfPage:
        try:
            if self._document is None:
                self._document = pypdfium2.PdfDocument(self._path)
            return self._document[number - 1]
        except (pypdfium2.PdfiumError, IndexError) as error:
            raise PageUnseen(f"the page cannot be opened: {error}") from error


def _dpi(width: float, height: float, wanted: int, max_pixels: int) -> float:
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise PageUnseen("the page has no sensible size")
    most = float((max_pixels * POINTS_PER_INCH**2 / (width * height)) ** 0.5)
    if most < LOWEST_DPI:
        raise PageUnseen(f"the page is {width:.0f} x {height:.0f} points, too large to be read as a picture")
    return min(float(wanted), most)


def _marks(page: pypdfium2.PdfPage) -> Marks:
    width, height = page.get_size()
    left, bottom, right, top = page.get_bbox()
    covered, pictures, paths = 0.0, 0, 0
    kinds = (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH)
    for item in islice(page.get_objects(filter=kinds, max_depth=MAX_DEPTH), MAX_OBJECTS):
        if item.type == pdfium.FPDF_PAGEOBJ_PATH:
            paths += 1
            continue
        pictures += 1
        x0, y0, x1, y1 = item.get_bounds()
        covered += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
    return Marks(picture_share=min(1.0, covered / (width * height or 1.0)), pictures=pictures, paths=paths)

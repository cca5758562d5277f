"""A page's picture, straightened and read: which way is up is found by the lines of text and by trying."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from services.extraction.adapters.page_images import PageImage
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.hocr import OcrLine
from services.extraction.stages.posture import Posture
from services.extraction.stages.scanned import (
    FEWEST_LETTERS,
    confidence_of,
    evidence_of,
    is_clear,
    letters_of,
    raw_page,
)
from services.extraction.stages.skew import FEWEST_INK_PIXELS, Ink, runs_upward, skew_of

INK_DPI = 100
INK_SHARE_OF_PAPER = 0.75

_TURNS = {
    1: Image.Transpose.ROTATE_270,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_90,
}
"""Quarter turns clockwise → Pillow's names, which count anticlockwise."""


class LineReader(Protocol):
    """What is asked of an engine."""

    def read(self, picture: Image.Image, dpi: float, languages: tuple[str, ...], seconds: float) -> tuple[OcrLine, ...]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A page as an OCR engine read it: in the straightened frame, with the way back to the page."""

    raw: RawPage
    posture: Posture
    confidence: float


def read_picture(engine: LineReader, number: int, page: PageImage, languages: tuple[str, ...], seconds: float) -> Reading:
    """Reads page `number`. Raises OcrFailed."""
    ink = ink_of(page)
    if int(ink.sum()) < FEWEST_INK_PIXELS:
        return Reading(RawPage(number, page.width, page.height, ()), Posture(page.width, page.height), 1.0)
    likely, unlikely = ((1, 3), (0, 2)) if runs_upward(ink) else ((0, 2), (1, 3))
    posture, lines = _best(engine, page, ink, likely, languages, seconds)
    if not is_clear(lines) and letters_of(lines) >= FEWEST_LETTERS:
        others = _best(engine, page, ink, unlikely, languages, seconds)
        posture, lines = max(((posture, lines), others), key=lambda one: evidence_of(one[1]))
    return Reading(raw_page(number, lines, posture, page.dpi), posture, round(confidence_of(lines), 3))


def _best(
    engine: LineReader, page: PageImage, ink: Ink, turns: tuple[int, int], languages: tuple[str, ...], seconds: float
) -> tuple[Posture, tuple[OcrLine, ...]]:
    """The first turn that reads clearly, else the one that reads best. Both turns share their skew."""
    skew = skew_of(np.rot90(ink, -turns[0]))
    found: list[tuple[Posture, tuple[OcrLine, ...]]] = []
    for turn in turns:
        posture = Posture(page.width, page.height, turn, skew)
        lines = engine.read(straightened(page, posture), page.dpi, languages, seconds)
        if is_clear(lines) or letters_of(lines) < FEWEST_LETTERS:
            return posture, lines
        found.append((posture, lines))
    return max(found, key=lambda one: evidence_of(one[1]))


def straightened(page: PageImage, posture: Posture) -> Image.Image:
    """The picture turned and levelled, its new corners filled with the colour of the paper."""
    picture = page.image.transpose(_TURNS[posture.turn]) if posture.turn else page.image
    if posture.skew == 0.0:
        return picture
    return picture.rotate(posture.skew, Image.Resampling.BICUBIC, fillcolor=paper_of(np.asarray(page.image)))


def ink_of(page: PageImage) -> Ink:
    """Where a page is darker than its paper, at about 100 dpi."""
    small = np.asarray(page.image.reduce(max(1, round(page.dpi / INK_DPI))))
    dark: Ink = small < INK_SHARE_OF_PAPER * paper_of(small)
    return dark


def paper_of(grey: np.ndarray) -> int:
    """The commonest brightness of a page: its paper's."""
    return int(np.bincount(grey.ravel(), minlength=256).argmax())

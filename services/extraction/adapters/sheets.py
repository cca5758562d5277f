"""One page at a time, read by the engine that the router chose for it, or by the next where that one fails."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter

from services.extraction.adapters.page_images import PageImages, PageUnseen
from services.extraction.adapters.pdfium import PageUnreadable, PdfFile
from services.extraction.adapters.tesseract import OcrFailed, Tesseract
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.posture import Posture
from services.extraction.stages.routing import (
    NOUGAT,
    TESSERACT,
    TEXT_LAYER,
    EngineName,
    Marks,
    Verdict,
    has_little_text,
    judge,
    route,
    without_labels,
)
from shared.contracts.documents import ExtractionParameters

NO_OCR = "the page is a scan and no OCR engine reads it."
ENOUGH_OF_IT = 0.8
"""OCR must read so much of what a meagre text layer has to be preferred to it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The words of a page, who read them, how sure that engine is, and why it was that one. `posture`: how a scan lay."""

    raw: RawPage
    engine: EngineName
    confidence: float
    why: str
    posture: Posture | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A page that no engine read, and why not."""

    number: int
    engine: EngineName
    reason: str


@dataclass(frozen=True, slots=True)
class Pictured:
    """A page that Nougat is to read: its picture was put at `path`."""

    number: int
    path: Path
    width: float
    height: float
    why: str


_SHEETS = TypeAdapter(Sheet)


class Sheets:
    """The pages of an open document. What OCR read is kept in `scratch`, so that no page is read twice that way."""

    def __init__(
        self, pdf: PdfFile, images: PageImages, parameters: ExtractionParameters, scratch: Path,
        ocr: Callable[[], Tesseract | str], nougat: bool,
    ) -> None:  # fmt: skip
        self._pdf = pdf
        self._images = images
        self._parameters = parameters
        self._scratch = scratch
        self._ocr = ocr
        self._nougat = nougat
        self.ocr_pages = 0

    def sheet(self, number: int) -> Sheet | Unread | Pictured:
        """Page `number`, from 1."""
        kept = self._scratch / f"sheet-{number}.json"
        if kept.exists():
            return _SHEETS.validate_json(kept.read_bytes())
        raw = self._raw(number)
        if isinstance(raw, Unread):
            return raw
        verdict = judge(raw, self._marks(number) if has_little_text(raw) else None)
        chosen = route(verdict, self._parameters.engine, () if self._is_plain(verdict) else self._there)
        if chosen.engines[0] == TEXT_LAYER:
            return self._text_layer(raw, verdict, chosen.why)
        if chosen.engines[0] == NOUGAT:
            return self._pictured(raw, chosen.why)
        return self._scan(raw, verdict, chosen.why, kept)

    def _is_plain(self, verdict: Verdict) -> bool:
        """Whether no engine need be looked for: most documents never ask for one."""
        return self._parameters.engine == "auto" and verdict.sound and not (verdict.formulas and self._nougat)

    @cached_property
    def _tesseract(self) -> Tesseract | str:
        """The OCR engine, or what to do where there is none."""
        return self._ocr()

    @property
    def _there(self) -> tuple[EngineName, ...]:
        """Engines that read pictures, the best first."""
        return (*((NOUGAT,) if self._nougat else ()), *((TESSERACT,) if isinstance(self._tesseract, Tesseract) else ()))

    def _raw(self, number: int) -> RawPage | Unread:
        try:
            raw = self._pdf.page(number)
        except PageUnreadable as error:
            return Unread(number, TEXT_LAYER, str(error) or "the page cannot be read")
        characters = sum(len(word.text) for word in raw.words)
        if characters > self._parameters.max_characters_per_page:
            limit = self._parameters.max_characters_per_page
            return Unread(number, TEXT_LAYER, f"the page has {characters} characters and the limit is {limit}")
        return raw

    def _marks(self, number: int) -> Marks | None:
        try:
            return self._images.marks(number)
        except PageUnseen:
            return None

    def _text_layer(self, raw: RawPage, verdict: Verdict, why: str) -> Sheet | Unread:
        if not verdict.sound and not raw.words:
            missing = f"{NO_OCR} {self._tesseract} and upload the PDF again." if isinstance(self._tesseract, str) else why
            return Unread(raw.number, TEXT_LAYER, missing)
        return Sheet(without_labels(raw) if verdict.labels else raw, TEXT_LAYER, round(verdict.confidence, 3), why)

    def _scan(self, raw: RawPage, verdict: Verdict, why: str, kept: Path) -> Sheet | Unread:
        assert isinstance(self._tesseract, Tesseract), "the router chooses among the engines that are there"
        from services.extraction.adapters.ocr import read_picture  # noqa: PLC0415 - numpy, which most documents need not

        wanted = self._parameters
        try:
            picture = self._images.render(raw.number, wanted.ocr_dpi, wanted.max_pixels_per_page)
            read = read_picture(self._tesseract, raw.number, picture, wanted.ocr_languages, wanted.seconds_per_page)
        except (PageUnseen, OcrFailed) as error:
            if not raw.words:
                return Unread(raw.number, TESSERACT, str(error))
            return Sheet(raw, TEXT_LAYER, round(verdict.confidence, 3), f"{why}, but {error}")
        self.ocr_pages += 1
        if verdict.confidence > 0 and wanted.engine == "auto" and _letters(read.raw) < ENOUGH_OF_IT * _letters(raw):
            return Sheet(raw, TEXT_LAYER, round(verdict.confidence, 3), f"{why}, but OCR finds less")
        sheet = Sheet(read.raw, TESSERACT, read.confidence, why, read.posture)
        kept.with_suffix(".new").write_bytes(_SHEETS.dump_json(sheet))
        kept.with_suffix(".new").replace(kept)
        return sheet

    def _pictured(self, raw: RawPage, why: str) -> Pictured | Unread:
        path = self._scratch / f"picture-{raw.number}.png"
        try:
            picture = self._images.render(raw.number, NOUGAT_DPI, self._parameters.max_pixels_per_page)
        except PageUnseen as error:
            return Unread(raw.number, NOUGAT, str(error))
        picture.image.save(path, "PNG", compress_level=1)
        return Pictured(raw.number, path, picture.width, picture.height, why)


NOUGAT_DPI = 96
"""The resolution that Nougat was trained at (arXiv 2308.13418, section 4)."""


def _letters(raw: RawPage) -> int:
    return sum(char.isalnum() for word in raw.words for char in word.text)

"""A document from PDF to MMD and page map on disk: ranges of pages are read one page at a time, then put together.

Everything that a reading process knows lies in its scratch directory, so that another can go on where it ended.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter

from services.extraction.adapters.page_images import PageImages
from services.extraction.adapters.pdfium import PdfFile, open_pdf
from services.extraction.adapters.repair import REPAIRED, repaired
from services.extraction.adapters.sheets import NO_OCR, Pictured, Sheet, Sheets, Unread
from services.extraction.adapters.tesseract import INSTALL, Tesseract, find_tesseract
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.mmd import render_page, title_of
from services.extraction.stages.posture import placed_on_page
from services.extraction.stages.routing import NOUGAT, TEXT_LAYER
from services.extraction.stages.scanned import in_few_sizes, sizes_of
from services.extraction.stages.style import DocumentStyle, survey
from services.extraction.stages.text_layer import read_page
from shared.contracts.base import Contract
from shared.contracts.documents import ExtractionParameters, ExtractionResult, OutlineEntry, Page
from shared.contracts.work import Rejected
from shared.errors import NoEngine, Unsupported

MMD, PAGES = "document.mmd", "pages.jsonl"
SURVEY = "survey.json"
SAMPLE_PAGES = 24
MAX_OCR_IN_SAMPLE = 8

PENDING = "waits for Nougat"

Progress = Callable[[int, int], None]
"""Told how many pages are done, of how many."""

At = Callable[[int, int, int], None]
"""Told which page is being read, how many of the range are done, and how many pages the document has."""

_STYLE = TypeAdapter(DocumentStyle)


class PageRange(Contract):
    """Pages of a document for one process to read. `deadly`: pages that ended processes before; they are not opened."""

    source: str
    scratch: str
    first: int
    last: int
    deadly: dict[int, str] = {}
    nougat: bool = False
    parameters: ExtractionParameters

    @property
    def file(self) -> Path:
        """Where its pages go, a line each; how many lines there are says how far it is."""
        return range_file(Path(self.scratch), self.first, self.last)


class Survey(Contract):
    """What every range of a document needs to know of it. `sizes`: of the print on its scanned pages, in points."""

    pages: int
    style: dict[str, object]
    sizes: tuple[float, ...] = ()
    repaired: bool = False
    outline: tuple[OutlineEntry, ...] = ()
    metadata: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Known:
    """The survey as the stages take it."""

    style: DocumentStyle
    sizes: tuple[float, ...]

    def settled(self, sheet: Sheet) -> RawPage:
        return in_few_sizes(sheet.raw, self.sizes) if sheet.posture is not None else sheet.raw


def range_file(scratch: Path, first: int, last: int) -> Path:
    """Named by both ends, since a later worker may part the document otherwise."""
    return scratch / f"pages-{first:06d}-{last:06d}.jsonl"


def check_engine(parameters: ExtractionParameters, nougat: bool) -> None:
    """Raises Unsupported where an engine was asked for by name and is not there."""
    if parameters.engine == "nougat" and not nougat:
        raise Unsupported("This worker has no Nougat: set LECTERN_NOUGAT_WEIGHTS, or the collection's engine to `auto`.")
    if parameters.engine == "ocr":
        tesseract = find_tesseract()
        missing = INSTALL if tesseract is None else tesseract.missing(parameters.ocr_languages)
        if missing is not None:
            raise Unsupported(f"{missing}, or set the collection's engine to `auto`.")


def _ocr(parameters: ExtractionParameters) -> Tesseract | str:
    """Tesseract, where it is installed with the languages that are wanted, or what to do."""
    if parameters.engine in ("text-layer", "nougat"):
        return "Set the collection's engine to `auto`"
    tesseract = find_tesseract()
    return INSTALL if tesseract is None else tesseract.missing(parameters.ocr_languages) or tesseract


def extract_to(source: Path, out: Path, parameters: ExtractionParameters, progress: Progress) -> ExtractionResult | Rejected:
    """Writes `document.mmd` and `pages.jsonl` into `out`, in this very process. Memory does not grow with the pages."""
    check_engine(parameters, nougat=False)
    with tempfile.TemporaryDirectory(prefix="lectern-read-") as scratch:
        work = PageRange(
            source=str(source), scratch=scratch, first=1, last=parameters.max_pages, parameters=parameters
        )  # fmt: skip
        refused = read_range(work, lambda page, done, total: progress(done, total))
        return refused or assemble(kept_pages([work.file]), load_survey(Path(scratch)), out)


def read_range(work: PageRange, at: At) -> Rejected | None:
    """Appends the pages of a range that are not there yet to its file, surveying the document first where nobody has."""
    scratch = Path(work.scratch)
    opened = _opened(Path(work.source), scratch, work.parameters.max_pages)
    if isinstance(opened, Rejected):
        return opened
    readable = scratch / REPAIRED if (scratch / REPAIRED).exists() else Path(work.source)
    with opened as pdf, PageImages(readable) as images:
        sheets = Sheets(pdf, images, work.parameters, scratch, lambda: _ocr(work.parameters), work.nougat)
        known, seen = _surveyed(pdf, sheets, work, at)
        done = count_pages(work.file)
        with work.file.open("a", encoding="utf-8") as file:
            for number in range(work.first + done, min(work.last, pdf.pages) + 1):
                at(number, number - work.first, pdf.pages)
                page = _page(sheets, known, number, seen.pop(number, None), work.deadly.get(number))
                file.write(page.model_dump_json() + "\n")
                file.flush()
        at(0, max(0, min(work.last, pdf.pages) - work.first + 1), pdf.pages)
    return None


def _opened(source: Path, scratch: Path, max_pages: int) -> PdfFile | Rejected:
    """The document, or where it is damaged what can be rescued of it."""
    opened = open_pdf(source, max_pages)
    if not isinstance(opened, Rejected) or opened.reason != "damaged":
        return opened
    rescued = repaired(source, scratch)
    again = open_pdf(rescued, max_pages) if rescued is not None else opened
    return again if not isinstance(again, Rejected) or again.reason == "too-many-pages" else opened


def _page(sheets: Sheets, known: Known, number: int, seen: Sheet | None, killed: str | None) -> Page:
    if killed is not None:
        return Page(number=number, engine=TEXT_LAYER, failure=killed)
    sheet = seen or sheets.sheet(number)
    if isinstance(sheet, Unread):
        return Page(number=number, engine=sheet.engine, failure=sheet.reason)
    if isinstance(sheet, Pictured):
        size = {"width": round(sheet.width, 1), "height": round(sheet.height, 1)}
        return Page(number=number, engine=NOUGAT, why=sheet.why, failure=PENDING, **size)
    page = read_page(known.settled(sheet), known.style)
    page = placed_on_page(page, sheet.posture) if sheet.posture is not None else page
    return page.model_copy(update={"engine": sheet.engine, "confidence": sheet.confidence, "why": sheet.why})


def _surveyed(pdf: PdfFile, sheets: Sheets, work: PageRange, at: At) -> tuple[Known, dict[int, Sheet]]:
    """What is known of the document, and the pages that were read for it, where they are few enough to be kept."""
    path = Path(work.scratch) / SURVEY
    if path.exists():
        told = load_survey(Path(work.scratch))
        return Known(_STYLE.validate_python(told.style), told.sizes), {}
    sampled = dict(_sampled(pdf, sheets, work, at))
    sizes = sizes_of(sheet.raw for sheet in sampled.values() if sheet.posture is not None)
    known = Known(DocumentStyle(), sizes)
    known = Known(survey([known.settled(sheet) for sheet in sampled.values()]), sizes)
    made = Survey(
        pages=pdf.pages,
        style=_STYLE.dump_python(known.style, mode="json"),
        sizes=sizes,
        repaired=(path.parent / REPAIRED).exists(),
        outline=pdf.outline(),
        metadata=pdf.metadata(),
    )
    path.with_suffix(".new").write_text(made.model_dump_json())
    path.with_suffix(".new").replace(path)
    return known, sampled if pdf.pages <= SAMPLE_PAGES else {}


def _sampled(pdf: PdfFile, sheets: Sheets, work: PageRange, at: At) -> Iterator[tuple[int, Sheet]]:
    for number in _sample(pdf.pages):
        if number in work.deadly or (pdf.pages > SAMPLE_PAGES and sheets.ocr_pages >= MAX_OCR_IN_SAMPLE):
            continue
        at(number, 0, pdf.pages)
        sheet = sheets.sheet(number)
        if isinstance(sheet, Sheet):
            yield number, sheet


def _sample(pages: int) -> list[int]:
    if pages <= SAMPLE_PAGES:
        return list(range(1, pages + 1))
    return sorted({1 + round(i * (pages - 1) / (SAMPLE_PAGES - 1)) for i in range(SAMPLE_PAGES)})


def load_survey(scratch: Path) -> Survey:
    return Survey.model_validate_json((scratch / SURVEY).read_bytes())


def count_pages(file: Path) -> int:
    """Whole lines of a range's file. A line that was cut off by the end of its process is taken away."""
    if not file.exists():
        return 0
    whole = count = 0
    with file.open("r+b") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                whole += len(line)
                count += 1
        lines.truncate(whole)
    return count


def kept_pages(files: Iterable[Path]) -> Iterator[Page]:
    """The pages of ranges, in order."""
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                yield Page.model_validate_json(line)


def assemble(pages: Iterable[Page], known: Survey, out: Path) -> ExtractionResult | Rejected:
    """Writes the document: its MMD, and its page map with the spans that blocks have in it."""
    with (out / MMD).open("w", encoding="utf-8") as mmd, (out / PAGES).open("w", encoding="utf-8") as page_map:
        result, failures = _write(pages, known, mmd, page_map)
    return result if result.characters else _nothing(result, failures)


def _write(pages: Iterable[Page], known: Survey, mmd: TextIO, page_map: TextIO) -> tuple[ExtractionResult, list[str]]:
    characters = blocks = failed = 0
    first: list[Page] = []
    failures: list[str] = []
    for page in pages:
        text, placed = render_page(page, characters)
        mmd.write(text)
        page_map.write(placed.model_dump_json() + "\n")
        characters += len(text)
        blocks += len(placed.blocks)
        failed += placed.failure is not None
        if placed.failure is not None and len(failures) < SAMPLE_PAGES:
            failures.append(placed.failure)
        if page.number <= 2:
            first.append(placed)
    mmd.write("\n" if characters else "")
    title = title_of(first)
    result = ExtractionResult(
        pages=known.pages,
        pages_failed=failed,
        blocks=blocks,
        characters=characters,
        title=title,
        repaired=known.repaired,
        outline=known.outline,
        metadata=known.metadata,
    )
    return result, failures


def _nothing(result: ExtractionResult, failures: list[str]) -> Rejected:
    unread = next((failure for failure in failures if failure.startswith(NO_OCR)), None)
    if unread is not None:
        what = unread.removeprefix(NO_OCR).strip()
        detail = f"None of the {result.pages} pages has text: the PDF is a scan and no OCR engine reads it. {what}"
        return Rejected(reason=NoEngine.code, detail=detail)
    if result.pages_failed == result.pages:
        said = f" The first says: {failures[0]}." if failures else ""
        detail = f"None of the {result.pages} pages can be read.{said} Export or download the PDF again."
        return Rejected(reason="damaged", detail=detail)
    detail = f"None of the {result.pages} pages has text, and OCR finds none on them either. Look whether it is the right file."
    return Rejected(reason="no-text-layer", detail=detail)

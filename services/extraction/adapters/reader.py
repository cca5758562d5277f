"""One document from PDF to MMD and page map on disk, a page at a time: what runs inside the child process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from services.extraction.adapters.pdfium import PageUnreadable, PdfFile, open_pdf
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.mmd import render_page, title_of
from services.extraction.stages.style import DocumentStyle, survey
from services.extraction.stages.text_layer import ENGINE, read_page
from shared.contracts.documents import ExtractionParameters, ExtractionResult, Page
from shared.contracts.work import Rejected

MMD, PAGES = "document.mmd", "pages.jsonl"
SAMPLE_PAGES = 24

Progress = Callable[[int, int], None]


def extract_to(source: Path, out: Path, parameters: ExtractionParameters, progress: Progress) -> ExtractionResult | Rejected:
    """Writes `document.mmd` and `pages.jsonl` into `out`; memory does not grow with the number of pages."""
    opened = open_pdf(source, parameters.max_pages)
    if isinstance(opened, Rejected):
        return opened
    with opened as pdf, (out / MMD).open("w", encoding="utf-8") as mmd, (out / PAGES).open("w", encoding="utf-8") as pages:
        result = _write(read_pages(pdf), pdf.pages, mmd, pages, progress)
    return result if result.characters else _nothing(result)


def _nothing(result: ExtractionResult) -> Rejected:
    if result.pages_failed == result.pages:
        return Rejected(
            reason="damaged", detail=f"None of the {result.pages} pages can be read. Export or download the PDF again."
        )
    return Rejected(
        reason="no-text-layer",
        detail=f"None of the {result.pages} pages has text: the PDF is a scan and needs OCR. "
        "Run it through an OCR tool and upload the result.",
    )


def read_pages(pdf: PdfFile) -> Iterator[Page]:
    """Every page, in order; one that cannot be read says so. The style comes from pages spread over the document."""
    numbers = _sample(pdf.pages)
    sampled = {number: _raw(pdf, number) for number in numbers}
    style = survey([raw for raw in sampled.values() if isinstance(raw, RawPage)])
    if len(numbers) < pdf.pages:
        sampled.clear()
    for number in range(1, pdf.pages + 1):
        raw = sampled.pop(number) if number in sampled else _raw(pdf, number)
        yield _page(raw, style, number)


def _sample(pages: int) -> list[int]:
    if pages <= SAMPLE_PAGES:
        return list(range(1, pages + 1))
    return sorted({1 + round(i * (pages - 1) / (SAMPLE_PAGES - 1)) for i in range(SAMPLE_PAGES)})


def _raw(pdf: PdfFile, number: int) -> RawPage | str:
    try:
        return pdf.page(number)
    except PageUnreadable as error:
        return str(error) or "the page cannot be read"


def _page(raw: RawPage | str, style: DocumentStyle, number: int) -> Page:
    if isinstance(raw, str):
        return Page(number=number, engine=ENGINE, failure=raw)
    return read_page(raw, style)


def _write(pages: Iterator[Page], total: int, mmd: TextIO, page_map: TextIO, progress: Progress) -> ExtractionResult:
    characters = blocks = failed = 0
    first: list[Page] = []
    for page in pages:
        text, placed = render_page(page, characters)
        mmd.write(text)
        page_map.write(placed.model_dump_json() + "\n")
        characters += len(text)
        blocks += len(placed.blocks)
        failed += placed.failure is not None
        if page.number <= 2:
            first.append(placed)
        progress(page.number, total)
    mmd.write("\n" if characters else "")
    return ExtractionResult(pages=total, pages_failed=failed, blocks=blocks, characters=characters, title=title_of(first))

"""Plain text of many PDFs, as fast as PDFium gives it: no layout, no page map. Each file is read by a child of its own."""

from multiprocessing.context import BaseContext
from pathlib import Path

from services.extraction.adapters.confined import Child, Limits
from services.extraction.adapters.pdfium import PageUnreadable, open_pdf
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected

PAGE_BREAK = "\n\f"


def write_plain_text(source: Path, target: Path, parameters: ExtractionParameters) -> ExtractionResult | Rejected:
    """Writes the text of a PDF, a page at a time, with a form feed between pages."""
    opened = open_pdf(source, parameters.max_pages)
    if isinstance(opened, Rejected):
        return opened
    characters = failed = 0
    partial = _partial(target)
    with opened as pdf, partial.open("w", encoding="utf-8", errors="replace") as file:
        for number in range(1, pdf.pages + 1):
            try:
                text = pdf.plain_text(number)
            except PageUnreadable:
                text, failed = "", failed + 1
            file.write(text + PAGE_BREAK if number < pdf.pages else text + "\n")
            characters += len(text)
    if characters:
        partial.replace(target)
        return ExtractionResult(pages=pdf.pages, pages_failed=failed, blocks=0, characters=characters)
    partial.unlink()
    return Rejected(reason="no-text-layer", detail="No page has text: the PDF is a scan. Extract it without --text to use OCR.")


def plain_text(context: BaseContext, source: Path, out: Path, parameters: ExtractionParameters) -> ExtractionResult | Rejected:
    """Writes `STEM.txt` into `out`. A file that kills or stalls its child is refused."""
    target = out / f"{source.stem}.txt"
    limits = Limits(parameters.memory_bytes, parameters.seconds_per_document)
    with Child(context, limits, _write, str(source), str(target), parameters.model_dump_json()) as child:
        ended = child.ended() if child.has_ended(parameters.seconds_per_document) else None
    _partial(target).unlink(missing_ok=True)
    if ended is None:
        detail = f"The PDF was not read within {parameters.seconds_per_document} s. Split it."
        return Rejected(reason="too-slow", detail=detail)
    if ended.no_memory:
        detail = f"Reading the PDF needs more than {parameters.memory_bytes >> 20} MiB. Split it."
        return Rejected(reason="too-big", detail=detail)
    if ended.answer is None:
        detail = "The parser ended while reading the PDF: it is damaged or hostile. Print it to a new PDF."
        return Rejected(reason="parser-crashed", detail=detail)
    kind, _, text = ended.answer.partition(":")
    return (Rejected if kind == "rejected" else ExtractionResult).model_validate_json(text)


def _write(source: str, target: str, parameters_json: str) -> str:
    """Runs in the child."""
    outcome = write_plain_text(Path(source), Path(target), ExtractionParameters.model_validate_json(parameters_json))
    return f"{'rejected' if isinstance(outcome, Rejected) else 'result'}:{outcome.model_dump_json()}"


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")

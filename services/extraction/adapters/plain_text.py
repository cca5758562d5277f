"""Plain text of many PDFs, as fast as PDFium gives it: no layout, no page map. A child reads some files and ends.

A file that kills or stalls the child is refused, and another child goes on with the next one.
"""

import json
from collections.abc import Iterator, Sequence
from multiprocessing.context import BaseContext
from pathlib import Path

from services.extraction.adapters.confined import Child, Limits
from services.extraction.adapters.pdfium import PageUnreadable, open_pdf
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected

FILES_A_CHILD = 16
"""A start costs as much as reading three pages. A parser that was taken over reaches so many files at most."""

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


def plain_texts(
    context: BaseContext, sources: Sequence[Path], out: Path, parameters: ExtractionParameters
) -> Iterator[tuple[Path, ExtractionResult | Rejected]]:
    """Writes `STEM.txt` into `out` for each source, in order. A file that kills or stalls its child is refused."""
    left = list(sources)
    limits = Limits(parameters.memory_bytes, parameters.seconds_per_document * FILES_A_CHILD)
    while left:
        some = json.dumps([str(path) for path in left[:FILES_A_CHILD]])
        with Child(context, limits, _write_some, some, str(out), parameters.model_dump_json()) as child:
            for path in left[:FILES_A_CHILD]:
                answer = child.answer(parameters.seconds_per_document)
                left.remove(path)
                if answer is None:
                    _partial(_target(out, path)).unlink(missing_ok=True)
                    yield path, _fate(child, parameters)
                    break
                kind, _, text = answer.partition(":")
                yield path, (Rejected if kind == "rejected" else ExtractionResult).model_validate_json(text)


def _fate(child: Child, parameters: ExtractionParameters) -> Rejected:
    """Why a child says nothing of a file."""
    if not child.has_ended(1):
        detail = f"The PDF was not read within {parameters.seconds_per_document} s. Split it."
        return Rejected(reason="too-slow", detail=detail)
    detail = "The parser ended while reading the PDF: it is damaged or hostile. Print it to a new PDF."
    return Rejected(reason="parser-crashed", detail=detail)


def _write_some(sources_json: str, out: str, parameters_json: str) -> Iterator[str]:
    """Runs in the child."""
    parameters = ExtractionParameters.model_validate_json(parameters_json)
    for source in map(Path, json.loads(sources_json)):
        outcome: ExtractionResult | Rejected
        try:
            outcome = write_plain_text(source, _target(Path(out), source), parameters)
        except MemoryError:
            detail = f"Reading the PDF needs more than {parameters.memory_bytes >> 20} MiB. Split it."
            outcome = Rejected(reason="too-big", detail=detail)
        yield f"{'rejected' if isinstance(outcome, Rejected) else 'result'}:{outcome.model_dump_json()}"


def _target(out: Path, source: Path) -> Path:
    return out / f"{source.stem}.txt"


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")

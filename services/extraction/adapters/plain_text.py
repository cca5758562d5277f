"""Plain text of many PDFs, as fast as PDFium gives it: no layout, no page map. One child process reads file after file.

A file that kills or stalls the child is refused, and another child goes on with the next one.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from services.extraction.adapters.pdfium import PageUnreadable, open_pdf
from shared.confinement import deny_network, limit
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected

PAGE_BREAK = "\n\f"


def write_plain_text(source: Path, target: Path, parameters: ExtractionParameters) -> ExtractionResult | Rejected:
    """Writes the text of a PDF, a page at a time, with a form feed between pages."""
    opened = open_pdf(source, parameters.max_pages)
    if isinstance(opened, Rejected):
        return opened
    characters = failed = 0
    partial = target.with_name(f".{target.name}.partial")
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
    sources: Sequence[Path], out: Path, parameters: ExtractionParameters
) -> Iterator[tuple[Path, ExtractionResult | Rejected]]:
    """Writes `STEM.txt` into `out` for each source, in order."""
    left = list(sources)
    while left:
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs, [str(path) for path in left], str(out), parameters.model_dump_json()), daemon=True
        )
        child.start()
        theirs.close()
        try:
            for path, outcome in _answers(ours, left, parameters):
                left.remove(path)
                (out / f".{path.stem}.txt.partial").unlink(missing_ok=True)
                yield path, outcome
        finally:
            child.kill()
            child.join()
            ours.close()


def _answers(
    answers: Connection, sources: Sequence[Path], parameters: ExtractionParameters
) -> Iterator[tuple[Path, ExtractionResult | Rejected]]:
    """What a child says of each file, until one makes it silent."""
    for path in list(sources):
        if not answers.poll(parameters.seconds_per_document):
            detail = f"The PDF was not read within {parameters.seconds_per_document} s. Split it."
            yield path, Rejected(reason="too-slow", detail=detail)
            return
        try:
            kind, _, text = answers.recv_bytes().decode("utf-8").partition(":")
        except (EOFError, OSError):
            detail = "The parser ended while reading the PDF: it is damaged or hostile. Print it to a new PDF."
            yield path, Rejected(reason="parser-crashed", detail=detail)
            return
        yield path, (Rejected if kind == "rejected" else ExtractionResult).model_validate_json(text)


def _serve(answers: Connection, sources: Sequence[str], out: str, parameters_json: str) -> None:
    """Runs in the child."""
    parameters = ExtractionParameters.model_validate_json(parameters_json)
    limit(parameters.memory_bytes, parameters.seconds_per_document * len(sources))
    deny_network()
    for source in map(Path, sources):
        try:
            outcome = write_plain_text(source, Path(out) / f"{source.stem}.txt", parameters)
        except MemoryError:
            detail = f"Reading the PDF needs more than {parameters.memory_bytes >> 20} MiB. Split it."
            outcome = Rejected(reason="too-big", detail=detail)
        kind = "rejected" if isinstance(outcome, Rejected) else "result"
        answers.send_bytes(f"{kind}:{outcome.model_dump_json()}".encode())

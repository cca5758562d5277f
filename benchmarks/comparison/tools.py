"""The tools that are compared: each a function from a PDF to text or Markdown, made ready when it is named."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

Read = Callable[[Path], str]

OURS, OURS_PLAIN = "lectern", "lectern --text"


def _lectern() -> Read:
    from services.extraction.local import Extracted, extract_file

    def read(path: Path) -> str:
        found = extract_file(path)
        return found.mmd if isinstance(found, Extracted) else ""

    return read


def _lectern_plain() -> Read:
    from services.extraction.local import text_of_file

    def read(path: Path) -> str:
        found = text_of_file(path)
        return found if isinstance(found, str) else ""

    return read


def _pypdfium2() -> Read:
    import pypdfium2

    def read(path: Path) -> str:
        document = pypdfium2.PdfDocument(path)
        return "\n\n".join(page.get_textpage().get_text_range() for page in document)

    return read


def _pdfminer() -> Read:
    from pdfminer.high_level import extract_text

    return lambda path: str(extract_text(path))


def _pdfplumber() -> Read:
    import pdfplumber

    def read(path: Path) -> str:
        with pdfplumber.open(path) as document:
            return "\n\n".join(page.extract_text() or "" for page in document.pages)

    return read


def _pymupdf() -> Read:
    import pymupdf

    def read(path: Path) -> str:
        with pymupdf.open(path) as document:
            return "\n\n".join(page.get_text() for page in document)

    return read


def _pymupdf4llm() -> Read:
    import pymupdf4llm

    return lambda path: pymupdf4llm.to_markdown(str(path), show_progress=False, use_ocr=False)


def _markitdown() -> Read:
    from markitdown import MarkItDown

    converter = MarkItDown()
    return lambda path: converter.convert(str(path)).text_content


def _kreuzberg() -> Read:
    import kreuzberg

    wished = kreuzberg.ExtractionConfig(output_format="markdown", disable_ocr=True)
    return lambda path: kreuzberg.extract_file_sync(str(path), config=wished).content


def _opendataloader() -> Read:
    """Its Java program is started for each call: `together` is how it is timed."""
    return lambda path: opendataloader_together([path]).get(path, "")


def opendataloader_together(paths: list[Path]) -> dict[Path, str]:
    """All files by one run of its program, as its users run it."""
    import opendataloader_pdf

    with tempfile.TemporaryDirectory() as scratch:
        given, made = Path(scratch) / "in", Path(scratch) / "out"
        given.mkdir()
        for path in paths:
            (given / path.name).symlink_to(path.resolve())
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        opendataloader_pdf.convert(
            input_path=[str(given)], output_dir=str(made), format="markdown", quiet=True, image_output="off"
        )
        return {path: found.read_text() for path in paths if (found := made / f"{path.stem}.md").is_file()}


TOOLS: dict[str, Callable[[], Read]] = {
    OURS: _lectern, OURS_PLAIN: _lectern_plain, "pypdfium2": _pypdfium2, "pdfminer": _pdfminer, "pdfplumber": _pdfplumber,
    "pymupdf": _pymupdf, "pymupdf4llm": _pymupdf4llm, "markitdown": _markitdown, "opendataloader": _opendataloader,
    "kreuzberg": _kreuzberg,
}  # fmt: skip


def interpreter(tool: str, ours: Path) -> Path:
    """The Python that has a tool: ours for Lectern, the one that runs the comparison for all others."""
    return ours if tool in (OURS, OURS_PLAIN) else Path(sys.executable)


def is_there(tool: str, python: Path, root: Path) -> bool:
    """Whether a tool can be made ready."""
    check = f"from benchmarks.comparison.tools import TOOLS; TOOLS[{tool!r}]()"
    return subprocess.run([str(python), "-c", check], cwd=root, capture_output=True, check=False).returncode == 0

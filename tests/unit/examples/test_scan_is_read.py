"""The scan among the examples goes through extraction."""

from pathlib import Path

import pytest

from services.extraction.adapters.tesseract import INSTALL, find_tesseract
from services.extraction.local import Extracted, extract_file
from shared.contracts.documents import Page

SCAN = Path(__file__).parents[3] / "examples" / "pdf" / "cradle-point-report.pdf"


@pytest.mark.skipif(find_tesseract() is None, reason=INSTALL)
def test_the_scan_among_the_examples_is_read_with_its_title_and_headings() -> None:
    read = extract_file(SCAN)

    assert isinstance(read, Extracted)
    assert read.result.title == "Report on the loss of the gauge house at Cradle Point"
    headings = [line for line in read.mmd.splitlines() if line.startswith("## ")]
    assert {"## The weather", "## The recorder", "## Findings"} <= set(headings)
    assert {Page.model_validate_json(line).engine for line in read.pages.splitlines()} == {"tesseract"}

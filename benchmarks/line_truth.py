"""Labels of the lines of real pages, read by a person: places on pages in `labels/lines.json`, matched to lines as extracted.

The file holds boxes and labels, no text: documents are the examples of this repository and, where it is given, a corpus of
openly licensed papers and reports.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from examples.labelled.marks import Mark
from examples.labelled.matching import labelled
from services.extraction.local import Extracted, extract_file
from shared.contracts.documents import Page
from shared.contracts.taggers import LabelledPage

LABELS = Path(__file__).parent / "labels" / "lines.json"


def real_documents(directories: list[Path]) -> Iterator[list[LabelledPage]]:
    """The labelled documents among the PDFs of these directories, as extraction reads them now."""
    places = json.loads(LABELS.read_text(encoding="utf-8"))
    for path in sorted(path for directory in directories for path in directory.glob("*.pdf") if path.stem in places):
        found = extract_file(path)
        if isinstance(found, Extracted):
            pages = [Page.model_validate_json(line) for line in found.pages.splitlines()]
            yield [labelled(path.stem, page, _marks(page.number, places[path.stem])) for page in pages]


def _marks(page: int, places: dict[str, list[list[object]]]) -> list[Mark]:
    return [Mark(page, tuple(box), label) for *box, label in places.get(str(page), [])]  # type: ignore[arg-type]

"""Long documents are read in ranges of pages, side by side; what was read outlives the worker that read it."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.extraction.adapters.isolated import IsolatedExtractor, RangeKeeper
from services.extraction.adapters.reader import count_pages
from services.extraction.local import Extracted, extract_file
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.errors import Cancelled
from tests.unit.extraction.pdfs import paper

RANGES = ExtractionParameters(pages_per_range=5)


class Shelf(RangeKeeper):
    """Keeps ranges in a directory, and counts what was brought back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recalled: list[str] = []
        folder.mkdir(exist_ok=True)

    def keep(self, file: Path) -> None:
        (self.folder / file.name).write_bytes(file.read_bytes())

    def recall(self, file: Path) -> bool:
        kept = self.folder / file.name
        if kept.exists():
            file.write_bytes(kept.read_bytes())
            self.recalled.append(file.name)
        return kept.exists()


def quiet(done: int, total: int) -> None:
    assert done <= total


def test_a_document_read_in_ranges_is_the_same_as_one_read_at_once(tmp_path: Path) -> None:
    path = paper(tmp_path / "long.pdf", copies=8)
    told: list[tuple[int, int]] = []

    outcome = IsolatedExtractor(processes=2).extract(path, tmp_path, RANGES, lambda *now: told.append(now))

    at_once = extract_file(path)
    assert isinstance(outcome, ExtractionResult) and isinstance(at_once, Extracted)
    assert (tmp_path / "document.mmd").read_text() == at_once.mmd
    assert (tmp_path / "pages.jsonl").read_text() == at_once.pages
    assert told[-1] == (24, 24) and [done for done, _ in told] == sorted(done for done, _ in told)


def test_ranges_that_an_earlier_worker_read_are_not_read_again(tmp_path: Path) -> None:
    path = paper(tmp_path / "long.pdf", copies=8)
    shelf = Shelf(tmp_path / "shelf")
    IsolatedExtractor().extract(path, tmp_path, RANGES, quiet, shelf)
    whole = (tmp_path / "document.mmd").read_text()
    kept = sorted(file.name for file in shelf.folder.iterdir())
    assert kept == [*(f"pages-{first:06d}-{first + 4:06d}.jsonl" for first in (1, 6, 11, 16, 21)), "survey.json"]
    (shelf.folder / "pages-000011-000015.jsonl").unlink()

    again = Shelf(shelf.folder)
    outcome = IsolatedExtractor().extract(path, tmp_path, RANGES, quiet, again)

    assert isinstance(outcome, ExtractionResult) and (tmp_path / "document.mmd").read_text() == whole
    assert len(again.recalled) == 5 and "pages-000011-000015.jsonl" not in again.recalled


WORKER = """
import sys
from pathlib import Path
from services.extraction.adapters.isolated import IsolatedExtractor
from tests.unit.extraction.test_ranges import RANGES, Shelf
IsolatedExtractor(2).extract(Path(sys.argv[1]), Path(sys.argv[2]), RANGES, lambda done, total: None, Shelf(Path(sys.argv[3])))
"""


def test_a_worker_that_is_killed_in_the_middle_costs_only_the_ranges_that_it_was_at(tmp_path: Path) -> None:
    path, shelf = paper(tmp_path / "long.pdf", copies=120), tmp_path / "shelf"
    worker = psutil.Popen(
        [sys.executable, "-c", WORKER, str(path), str(tmp_path), str(shelf)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    while not shelf.exists() or len(list(shelf.iterdir())) < 8:
        time.sleep(0.02)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    kept = len(list(shelf.glob("pages-*.jsonl")))

    again = Shelf(shelf)
    outcome = IsolatedExtractor(2).extract(path, tmp_path, RANGES, quiet, again)

    assert isinstance(outcome, ExtractionResult) and outcome.pages == 360
    assert 8 <= len(again.recalled) <= kept + 1 < 72
    assert [json.loads(line)["number"] for line in (tmp_path / "pages.jsonl").open()] == list(range(1, 361))


def test_long_work_that_is_called_off_ends_all_its_children(tmp_path: Path) -> None:
    path = paper(tmp_path / "long.pdf", copies=120)

    def call_off(done: int, total: int) -> None:
        if done > 20:
            raise Cancelled("the user called it off")

    with pytest.raises(Cancelled):
        IsolatedExtractor(2).extract(path, tmp_path, RANGES, call_off)


def test_a_line_that_was_cut_off_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "pages.jsonl"
    file.write_text('{"number":1}\n{"number":2}\n{"num')

    assert count_pages(file) == 2
    assert file.read_text() == '{"number":1}\n{"number":2}\n'

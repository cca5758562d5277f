"""What cannot be read is refused with a reason, and never costs more than its limits."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.local import extract_file, extract_folder
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected
from shared.errors import Cancelled
from tests.unit.extraction.pdfs import blank, by_hand, encrypted, paper

SLOW = b"BT /F 0.5 Tf " + b"".join(b"1 0 0 1 %d %d Tm (w%d) Tj " % (i % 600, i // 600, i) for i in range(400_000)) + b"ET"
LARGE = b"BT /F 12 Tf 72 700 Td " + b"(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj " * 400_000 + b"ET"


@pytest.fixture(scope="module")
def extractor() -> IsolatedExtractor:
    return IsolatedExtractor()


def reason(outcome: object) -> str:
    assert isinstance(outcome, Rejected)
    assert outcome.detail.endswith(".")
    return outcome.reason


def busy_children() -> list[psutil.Process]:
    """The parsers of this process that have been at work for a while."""
    return [one for one in psutil.Process().children(recursive=True) if is_busy_parser(one)]


def is_busy_parser(one: psutil.Process) -> bool:
    try:
        return "forkserver" in " ".join(one.cmdline()) and one.cpu_times().user > 1.0
    except psutil.Error:
        return False


def quiet(done: int, total: int) -> None:
    assert done <= total


def test_an_encrypted_pdf_is_refused_as_encrypted(tmp_path: Path) -> None:
    assert reason(extract_file(encrypted(tmp_path / "secret.pdf"))) == "encrypted"


@pytest.mark.parametrize("content", [b"", b"I am a text file.", b"%PDF-1.7\n%%EOF", b"%PDF-1.4\n" + bytes(range(256)) * 40])
def test_what_is_no_whole_pdf_is_refused_as_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.pdf"
    path.write_bytes(content)

    assert reason(extract_file(path)) == "damaged"


def test_a_truncated_pdf_is_refused_or_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = paper(tmp_path / "paper.pdf").read_bytes()
    path = tmp_path / "cut.pdf"
    path.write_bytes(whole[: len(whole) // 2])

    outcome = extract_file(path)

    assert not isinstance(outcome, Rejected) or outcome.reason in ("damaged", "no-text-layer")


def test_a_pdf_without_pages_is_refused_as_such(tmp_path: Path) -> None:
    assert reason(extract_file(by_hand(tmp_path / "none.pdf", b"", kids="[]/Count 0"))) == "no-pages"


def test_a_scan_is_refused_and_told_to_need_ocr(tmp_path: Path) -> None:
    outcome = extract_file(blank(tmp_path / "scan.pdf", pages=2))

    assert reason(outcome) == "no-text-layer"
    assert isinstance(outcome, Rejected) and "OCR" in outcome.detail


def test_more_pages_than_allowed_are_refused(tmp_path: Path) -> None:
    path = paper(tmp_path / "paper.pdf", pages=3)

    assert reason(extract_file(path, ExtractionParameters(max_pages=2))) == "too-many-pages"


def test_a_child_reads_a_document_and_tells_of_its_pages(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    told: list[tuple[int, int]] = []

    outcome = extractor.extract(
        paper(tmp_path / "paper.pdf"), tmp_path, ExtractionParameters(), lambda done, total: told.append((done, total))
    )

    assert isinstance(outcome, ExtractionResult)
    assert (outcome.pages, outcome.title) == (3, "The Reading of Tides at a Northern Pier")
    assert told[-1] == (3, 3)
    assert (tmp_path / "document.mmd").read_text().startswith("<!-- header:")
    assert len((tmp_path / "pages.jsonl").read_text().splitlines()) == 3


def test_a_document_that_takes_too_long_is_refused(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    path = by_hand(tmp_path / "slow.pdf", SLOW)

    assert reason(extractor.extract(path, tmp_path, ExtractionParameters(seconds_per_document=1), quiet)) == "too-slow"


def test_a_document_that_takes_too_much_memory_is_refused(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    path = by_hand(tmp_path / "large.pdf", LARGE)

    assert reason(extractor.extract(path, tmp_path, ExtractionParameters(memory_bytes=1 << 29), quiet)) == "too-big"


def test_a_parser_that_dies_costs_its_document_and_not_the_next(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    def kill(done: int, total: int) -> None:
        for child in busy_children():
            child.send_signal(signal.SIGSEGV)

    path = by_hand(tmp_path / "slow.pdf", SLOW)

    assert reason(extractor.extract(path, tmp_path, ExtractionParameters(), kill)) == "parser-crashed"
    assert isinstance(extractor.extract(paper(tmp_path / "p.pdf"), tmp_path, ExtractionParameters(), quiet), ExtractionResult)


def test_work_that_is_called_off_ends_its_child(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    seen: list[psutil.Process] = []

    def call_off(done: int, total: int) -> None:
        seen[:] = busy_children()
        if seen:
            raise Cancelled("the user called it off")

    with pytest.raises(Cancelled):
        extractor.extract(by_hand(tmp_path / "slow.pdf", SLOW), tmp_path, ExtractionParameters(), call_off)

    _, alive = psutil.wait_procs(seen, timeout=20)
    assert not alive or all(one.status() == psutil.STATUS_ZOMBIE for one in alive)


def test_a_folder_is_read_whole_and_its_refusals_are_told(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    shelf.mkdir()
    paper(shelf / "a.pdf")
    blank(shelf / "b.pdf")
    (shelf / "c.PDF").write_bytes(b"%PDF-")
    (shelf / "notes.txt").write_text("no PDF at all")

    outcomes = {one.source.name: one.outcome for one in extract_folder(shelf, out, jobs=2)}

    assert isinstance(outcomes["a.pdf"], ExtractionResult)
    assert {name: reason(outcomes[name]) for name in ("b.pdf", "c.PDF")} == {"b.pdf": "no-text-layer", "c.PDF": "damaged"}
    assert sorted(path.name for path in out.iterdir()) == ["a.mmd", "a.pages.jsonl"]


def test_pages_are_written_as_they_are_read(tmp_path: Path, extractor: IsolatedExtractor) -> None:
    sizes: set[int] = set()

    def look(done: int, total: int) -> None:
        if (file := tmp_path / "pages.jsonl").exists():
            sizes.add(file.stat().st_size)
        time.sleep(0)

    outcome = extractor.extract(paper(tmp_path / "paper.pdf", pages=3), tmp_path, ExtractionParameters(), look)

    assert isinstance(outcome, ExtractionResult)
    assert max(sizes) == (tmp_path / "pages.jsonl").stat().st_size


WORKER = """
import sys
from pathlib import Path
from services.extraction.adapters.isolated import IsolatedExtractor
from shared.contracts.documents import ExtractionParameters
IsolatedExtractor().extract(Path(sys.argv[1]), Path(sys.argv[2]), ExtractionParameters(), lambda done, total: None)
"""


def test_a_killed_worker_leaves_no_parser_behind(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "slow.pdf", SLOW)
    worker = psutil.Popen(
        [sys.executable, "-c", WORKER, str(path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    while not (busy := [one for one in worker.children(recursive=True) if is_busy_parser(one)]):
        time.sleep(0.05)

    worker.kill()
    worker.wait()

    _, alive = psutil.wait_procs(busy, timeout=20)
    assert not alive

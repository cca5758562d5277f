"""Plain text, fast: what `lectern extract --text` writes."""

from pathlib import Path

from services.extraction.local import text_of_file, text_of_folder
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected
from tests.unit.extraction.pdfs import blank, by_hand, encrypted, paper
from tests.unit.extraction.test_refusals import LARGE


def test_pages_are_parted_by_form_feeds_and_torn_words_mended(tmp_path: Path) -> None:
    text = text_of_file(paper(tmp_path / "paper.pdf"))

    assert isinstance(text, str)
    assert text.count("\f") == 2
    assert "The Reading of Tides at a Northern Pier" in text


def test_a_scan_is_told_to_need_ocr(tmp_path: Path) -> None:
    refused = text_of_file(blank(tmp_path / "scan.pdf"))

    assert isinstance(refused, Rejected)
    assert refused.reason == "no-text-layer"


def test_a_folder_is_read_by_children_that_outlive_a_file_that_kills_them(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    paper(shelf / "a.pdf")
    by_hand(shelf / "b.pdf", LARGE)
    encrypted(shelf / "c.pdf")
    paper(shelf / "d.pdf")

    found = {
        one.source.name: one.outcome
        for one in text_of_folder(shelf, tmp_path / "out", ExtractionParameters(memory_bytes=1 << 29))
    }

    assert [name for name, outcome in found.items() if isinstance(outcome, ExtractionResult)] == ["a.pdf", "d.pdf"]
    assert isinstance(found["c.pdf"], Rejected) and found["c.pdf"].reason == "encrypted"
    assert isinstance(found["b.pdf"], Rejected) and found["b.pdf"].reason in ("parser-crashed", "too-big")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "d.txt"]


def test_several_children_read_as_one(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in "abc":
        paper(shelf / f"{name}.pdf")

    assert {one.source.stem for one in text_of_folder(shelf, tmp_path / "out", jobs=2)} == set("abc")

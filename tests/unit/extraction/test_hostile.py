"""Malformed, cyclic, bomb-like and fuzzed PDFs: a reason each, within the limits, and the worker goes on."""

import multiprocessing
import random
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.local import Extracted, extract_file
from services.extraction.stages.salvage import salvage
from shared.confinement import deny_network
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected
from tests.unit.extraction.hostile import MAKERS, hostile, one_page, stream, written
from tests.unit.extraction.mutations import mutated
from tests.unit.extraction.pdfs import paper

REASONS = {
    "damaged", "encrypted", "no-pages", "no-text-layer", "parser-crashed", "too-big", "too-many-pages", "too-slow",
}  # fmt: skip
LIMITS = ExtractionParameters(seconds_per_page=10, seconds_per_document=30, memory_bytes=1 << 30, max_pages=2_000)


@pytest.fixture(scope="module")
def extractor() -> IsolatedExtractor:
    return IsolatedExtractor()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("hostile")
    assert len(list(hostile(shelf))) == len(MAKERS) + 6
    return shelf


def outcome_of(extractor: IsolatedExtractor, path: Path, out: Path, limits: ExtractionParameters = LIMITS) -> object:
    outcome = extractor.extract(path, out, limits, lambda done, total: None)
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS and outcome.detail.endswith(".")
        return outcome.reason
    assert isinstance(outcome, ExtractionResult)
    return "read"


@pytest.mark.parametrize("name", [*MAKERS, "blank", "encrypted", "cut-at-10", "cut-at-50", "cut-at-90", "cut-at-99"])
def test_a_hostile_pdf_is_read_or_refused_with_a_reason(
    name: str, folder: Path, extractor: IsolatedExtractor, tmp_path: Path
) -> None:
    assert outcome_of(extractor, folder / f"{name}.pdf", tmp_path) in {*REASONS, "read"}


@pytest.mark.parametrize(
    "name",
    [
        "javascript",
        "launches-a-program",
        "outline-of-itself",
        "outline-deep",
        "outline-long",
        "links-many-and-long",
        "size-turned-over",
        "contents-of-itself",
        "cut-at-99",
    ],
)
def test_what_can_be_read_is_read(name: str, folder: Path, extractor: IsolatedExtractor, tmp_path: Path) -> None:
    expected = "read" if name != "contents-of-itself" else "no-text-layer"

    assert outcome_of(extractor, folder / f"{name}.pdf", tmp_path) == expected


SLOW = b"BT /F 0.5 Tf " + b"".join(b"1 0 0 1 %d %d Tm (w%d) Tj " % (i % 600, i // 600, i) for i in range(300_000)) + b"ET"


def test_a_page_that_kills_its_parser_costs_that_page_only(extractor: IsolatedExtractor, tmp_path: Path) -> None:
    sound, deadly = b"BT /F 12 Tf 72 700 Td (Sound words of a page.) Tj ET", SLOW
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F 9 0 R>>>>>>"
    path = tmp_path / "mixed.pdf"
    path.write_bytes(written({
        1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[3 0 R 4 0 R 5 0 R]/Count 3>>",
        3: page % 6, 4: page % 7, 5: page % 8, 6: stream(sound), 7: stream(deadly), 8: stream(sound),
        9: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }))  # fmt: skip

    outcome = extractor.extract(path, tmp_path, LIMITS.model_copy(update={"seconds_per_page": 2}), lambda done, total: None)

    assert isinstance(outcome, ExtractionResult)
    assert (outcome.pages, outcome.pages_failed) == (3, 1)
    assert (tmp_path / "document.mmd").read_text().count("Sound words of a page.") == 2
    assert "too-slow" in (tmp_path / "pages.jsonl").read_text().splitlines()[1]


def test_a_page_with_too_much_text_is_not_read_and_says_so(extractor: IsolatedExtractor, tmp_path: Path) -> None:
    path = tmp_path / "wordy.pdf"
    path.write_bytes(one_page(b"BT /F 9 Tf 9 TL 72 700 Td " + b"(word after word after word after word) Tj T* " * 60 + b"ET"))

    extractor.extract(path, tmp_path, LIMITS.model_copy(update={"max_characters_per_page": 1_000}), lambda done, total: None)

    assert "the limit is 1000" in (tmp_path / "pages.jsonl").read_text()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_mutated_pdf_costs_no_more_than_itself(seed: int, extractor: IsolatedExtractor, tmp_path: Path) -> None:
    path = tmp_path / "mutated.pdf"
    path.write_bytes(mutated(paper(tmp_path / "paper.pdf", pages=1).read_bytes(), random.Random(seed)))

    assert outcome_of(extractor, path, tmp_path) in {*REASONS, "read"}


@given(st.binary(max_size=600))
def test_salvage_takes_any_bytes(data: bytes) -> None:
    assert salvage(data) is None or salvage(data)[:5] == b"%PDF-"  # type: ignore[index]


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_salvage_takes_any_mutation_of_a_packed_pdf(seed: int) -> None:
    salvaged = salvage(mutated(packed(), random.Random(seed)))

    assert salvaged is None or salvaged.startswith(b"%PDF-")


def packed() -> bytes:
    """A PDF whose page lies in an object stream, cut off before its index."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    index = b"3 0 5 %d " % (len(page) + 1)
    inside = stream(index + page + b" " + font, b"/Type/ObjStm/N 2/First %d" % len(index))
    text = stream(b"BT /F 12 Tf 72 700 Td (The float of the tide gauge rises and falls in its well.) Tj ET")
    return b"%%PDF-1.5\n4 0 obj\n%b\nendobj\n7 0 obj\n%b\nendobj\n8 0 obj\n<</Type/XRef/Wid" % (text, inside)


def test_pages_in_object_streams_survive_the_loss_of_the_index(tmp_path: Path) -> None:
    path = tmp_path / "cut.pdf"
    path.write_bytes(packed())

    outcome = extract_file(path)

    assert isinstance(outcome, Extracted) and outcome.result.repaired
    assert "The float of the tide gauge rises and falls in its well." in outcome.mmd


def test_a_process_that_reads_pdfs_has_no_network() -> None:
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        how, what = pool.apply(_try_the_network)

    assert (how in ("seccomp", "python"), what) == (True, "PermissionError")


def _try_the_network() -> tuple[str, str]:
    how = deny_network()
    try:
        socket.socket()
    except OSError as error:
        return how, type(error).__name__
    return how, "open"

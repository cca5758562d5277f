"""A PDF through extraction, cleaning, chunking and dataset assembly, each handler fed by the one before."""

from pathlib import Path

import pytest

from services.cleaning.handlers import handlers as cleaning_handlers
from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.handlers import handlers as extraction_handlers
from shared import layout
from shared.contracts.documents import (
    ChunkingParameters,
    ChunkingResult,
    CleaningResult,
    ExtractionResult,
    ProcessingParameters,
    ScreeningResult,
)
from shared.contracts.learning import DatasetInput, DatasetParameters, DatasetResult, DatasetWish
from shared.contracts.work import DatasetWork, DocumentWork, Rejected
from shared.errors import NoEngine, NotFound
from shared.ids import short
from shared.pipeline import dataset_key, screening_key
from tests.unit.cleaning.desk import BASE, Desk
from tests.unit.extraction.pdfs import blank, paper
from tests.unit.extraction.scans import scan

HANDLERS = extraction_handlers() | cleaning_handlers()
PARAMETERS = ProcessingParameters(chunking=ChunkingParameters(max_tokens=64, tokenizer=BASE))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.put_base()
    return desk


def work_on(desk: Desk, pdf: Path) -> DocumentWork:
    document = pdf.stem * 8
    desk.put(layout.source(document), pdf.read_bytes())
    return DocumentWork(job="job", trace="trace", collection="tides", document=document, parameters=PARAMETERS)


def dataset_work(desk: Desk, *documents: DocumentWork) -> DatasetWork:
    inputs = tuple(
        DatasetInput(
            document=one.document, filename=f"{one.document}.pdf", screening_key=screening_key(one.document, PARAMETERS)
        )
        for one in documents
    )
    parameters = DatasetParameters(max_answer_tokens=32, max_example_tokens=160)
    key = dataset_key(BASE, parameters, inputs)
    wish = DatasetWish(
        key=key, name="tides", collection="tides", base=BASE, parameters=parameters, inputs=inputs, created_at="2031-01-01"
    )
    desk.put(layout.dataset(short(key)), wish.model_dump_json().encode())
    return DatasetWork(job="job", trace="trace", dataset=key)


def test_a_pdf_becomes_examples_and_every_stage_says_what_it_did(desk: Desk, tmp_path: Path) -> None:
    works = [work_on(desk, paper(tmp_path / f"{pier}.pdf", pages, pier)) for pier, pages in (("western", 3), ("old", 2))]
    for work in works:
        extracted = desk.run("extraction", work, HANDLERS["extraction"])
        cleaned = desk.run("cleaning", work, HANDLERS["cleaning"])
        chunked = desk.run("chunking", work, HANDLERS["chunking"])
        screened = desk.run("screening", work, HANDLERS["screening"])

    assert isinstance(extracted, ExtractionResult) and isinstance(cleaned, CleaningResult)
    assert isinstance(chunked, ChunkingResult) and isinstance(screened, ScreeningResult)
    assert extracted.title == cleaned.title == chunked.title == screened.title == "The Reading of Tides at a Northern Pier"
    assert cleaned.characters_in == cleaned.characters_kept + sum(cleaned.dropped.values()) + cleaned.characters_garbage
    assert {"header", "page_number"} <= set(cleaned.dropped)
    assert chunked.chunks == screened.chunks > 2
    assert (screened.garbage, screened.decided_by) == (cleaned.garbage, "rules")

    made = desk.run("dataset", dataset_work(desk, *works), HANDLERS["dataset"])

    assert isinstance(made, DatasetResult)
    assert (made.documents, made.heldout_documents) == (2, 1)
    assert sorted(path.name for path in desk.out.iterdir()) == [
        "README.md", "chunks.jsonl", "duplicates.jsonl", "heldout.jsonl", "heldout.parquet", "train.jsonl", "train.parquet",
    ]  # fmt: skip
    assert {unit for _, _, unit in desk.told} == {"page", "piece", "text", "document"}


def test_a_refused_document_goes_no_further(desk: Desk, tmp_path: Path) -> None:
    outcome = desk.run("extraction", work_on(desk, blank(tmp_path / "scan.pdf")), HANDLERS["extraction"])

    assert isinstance(outcome, Rejected) and outcome.reason == "no-text-layer"


def test_a_scan_without_an_engine_is_not_refused_for_good(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = work_on(desk, scan(paper(tmp_path / "paper.pdf", pages=1), tmp_path / "scan.pdf"))
    extraction = extraction_handlers(IsolatedExtractor(alone=True))["extraction"]

    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(NoEngine, match="apt-get install tesseract-ocr"):
            desk.run("extraction", work, extraction)

    assert isinstance(desk.run("extraction", work, extraction), ExtractionResult)


def test_a_base_that_is_not_published_is_told_plainly(desk: Desk, tmp_path: Path) -> None:
    work = work_on(desk, paper(tmp_path / "a.pdf"))
    parameters = ProcessingParameters(chunking=ChunkingParameters(tokenizer="another-base"))
    work = work.model_copy(update={"parameters": parameters})
    for stage in ("extraction", "cleaning"):
        desk.run(stage, work, HANDLERS[stage])

    with pytest.raises(NotFound, match="another-base is not published"):
        desk.run("chunking", work, HANDLERS["chunking"])

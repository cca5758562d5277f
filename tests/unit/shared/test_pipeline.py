"""The pipeline is what its declaration says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.cleaning import handlers as cleaning
from services.extraction import handlers as extraction
from services.training import handlers as training
from services.training.settings import TrainingSettings
from shared.contracts.alignment import DPO
from shared.contracts.documents import ChunkingParameters, ExtractionParameters, ProcessingParameters
from shared.contracts.learning import DatasetInput, DatasetParameters, Parent
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.contracts.work import DocumentWork, RunWork
from shared.objects import ObjectStore
from shared.pipeline import STAGES, chain, chunking_key, cleaning_key, dataset_key, extraction_key, training_key


def test_each_stage_has_exactly_one_handler(store: ObjectStore) -> None:
    tables = (extraction.handlers(), cleaning.handlers(), training.handlers(store, TrainingSettings()))
    assert Counter(name for table in tables for name in table) == Counter(STAGES.keys())


def test_a_stage_follows_only_in_the_same_job() -> None:
    for stage in STAGES.values():
        assert stage.then is None or STAGES[stage.then].work is stage.work


def test_a_document_passes_extraction_cleaning_chunking_and_screening() -> None:
    document = DocumentWork(job="j", trace="t", collection="c", document="d", parameters=ProcessingParameters())
    assert [stage.name for stage in chain(document)] == ["extraction", "cleaning", "chunking", "screening"]
    assert [stage.name for stage in chain(RunWork(job="j", trace="t", run="r"))] == ["training", "evaluation"]


def test_a_chunk_size_decides_chunks_alone() -> None:
    one = ProcessingParameters(chunking=ChunkingParameters(max_tokens=100))
    other = ProcessingParameters(chunking=ChunkingParameters(max_tokens=200))
    assert extraction_key("d", one) == extraction_key("d", other)
    assert cleaning_key("d", one) == cleaning_key("d", other)
    assert chunking_key("d", one) != chunking_key("d", other)


def test_how_many_pages_a_process_reads_decides_nothing() -> None:
    one = ProcessingParameters(extraction=ExtractionParameters(pages_per_range=10))
    other = ProcessingParameters(extraction=ExtractionParameters(ocr_dpi=300))
    assert extraction_key("d", one) == extraction_key("d", ProcessingParameters())
    assert extraction_key("d", other) != extraction_key("d", ProcessingParameters())


@given(st.permutations([DatasetInput(document=str(n), filename=f"{n}.pdf", screening_key=f"k{n}") for n in range(5)]))
def test_the_order_of_its_documents_does_not_name_a_dataset(inputs: list[DatasetInput]) -> None:
    straight = tuple(sorted(inputs, key=lambda one: one.document))
    assert dataset_key("b", DatasetParameters(), tuple(inputs)) == dataset_key("b", DatasetParameters(), straight)


def test_a_recipe_without_the_section_on_continual_tuning_keeps_the_key_it_had() -> None:
    """Before there was such a section, this run had this key."""
    before = "8d3843150a9999a7fb4a8d7c6f537a10269ed6d57ae2759352525a1ce4a29c8b"
    assert training_key("d" * 64, TrainingRecipe(), "b" * 64) == before
    assert training_key("d" * 64, TrainingRecipe(continual=Continual()), "b" * 64) != before
    aligned = TrainingRecipe(alignment=DPO())
    keys = {training_key("d" * 64, aligned, "b" * 64, preferences=one) for one in (None, "p" * 64, "q" * 64)}
    assert len(keys | {before}) == 4


def test_a_run_is_named_by_the_model_that_it_starts_from() -> None:
    def key(run: str, adapter_digest: str) -> str:
        return training_key("d", TrainingRecipe(), "b", Parent(model="m", run=run, adapter_digest=adapter_digest))

    assert len({key("r", "1"), key("r", "2"), key("s", "1"), training_key("d", TrainingRecipe(), "b")}) == 4

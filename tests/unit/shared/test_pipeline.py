"""The pipeline is what its declaration says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.cleaning import handlers as cleaning
from services.extraction import handlers as extraction
from services.training import handlers as training
from services.training.settings import TrainingSettings
from shared.contracts.documents import ChunkingParameters, ProcessingParameters
from shared.contracts.learning import DatasetInput, DatasetParameters
from shared.contracts.work import DocumentWork, RunWork
from shared.objects import ObjectStore
from shared.pipeline import STAGES, chain, chunking_key, cleaning_key, dataset_key, extraction_key


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


@given(st.permutations([DatasetInput(document=str(n), filename=f"{n}.pdf", screening_key=f"k{n}") for n in range(5)]))
def test_the_order_of_its_documents_does_not_name_a_dataset(inputs: list[DatasetInput]) -> None:
    straight = tuple(sorted(inputs, key=lambda one: one.document))
    assert dataset_key("b", DatasetParameters(), tuple(inputs)) == dataset_key("b", DatasetParameters(), straight)

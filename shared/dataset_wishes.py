"""What a wish for a dataset needs beside its inputs: its version among those of its name, and the work of a preview."""

from shared import layout
from shared.contracts.datasets import DatasetVersion
from shared.contracts.learning import DatasetInput, DatasetParameters
from shared.contracts.work import PreviewWork
from shared.ids import preview_job, short
from shared.keys import digest
from shared.objects import ObjectStore, Series
from shared.pipeline import preview_key
from shared.tracing import current_trace


def next_version(store: ObjectStore, name: str, dataset: str, at: str) -> int:
    """The next number of the name, or the one that this dataset drew in an attempt that was cut short."""
    series = Series(store, layout.dataset_versions(name))
    latest = series.latest(DatasetVersion)
    if latest is not None and latest[1].dataset == dataset:
        return latest[0]
    return series.append(DatasetVersion(dataset=dataset, created_at=at))


def preview_work(
    base: str, parameters: DatasetParameters, inputs: tuple[DatasetInput, ...], documents: int, examples: int
) -> PreviewWork:
    """A preview of a few of these documents, drawn by seed."""
    drawn = sorted(inputs, key=lambda one: digest([parameters.seed, one.document]))[:documents]
    work = PreviewWork(
        job="", trace=current_trace(), base=base, parameters=parameters, inputs=tuple(drawn), of_documents=len(inputs),
        examples=examples,
    )  # fmt: skip
    return work.model_copy(update={"job": preview_job(short(preview_key(work)))})

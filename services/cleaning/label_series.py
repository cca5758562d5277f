"""People's labels of a document, as a stage reads them: as many of the series as its wish says."""

from collections.abc import Iterator
from typing import Any

from shared import layout
from shared.contracts.review import Label, LabelSource
from shared.stage import StageContext


def labels_of(source: LabelSource, context: StageContext[Any]) -> Iterator[Label]:
    series = layout.labels(source.document)
    for sequence in range(1, source.labels + 1):
        yield Label.model_validate_json(context.fetch_object(layout.entry(series, sequence)).read_bytes())

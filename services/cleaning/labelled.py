"""Files of labelled pages (JSON lines of `LabelledPage`), as what models of lines learn from and are measured by."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from services.cleaning.stages.habits import habits
from services.cleaning.stages.line_features import LABELS, Features
from services.cleaning.stages.tagging import ruled
from shared.contracts.documents import CleaningParameters, LabelledPage, LineLabel
from shared.errors import InvalidInput

Row = tuple[Features, NDArray[np.int64]]
"""A page as a model sees it, and the label of each of its lines, by number."""


def read_labelled(path: Path) -> Iterator[LabelledPage]:
    """Raises InvalidInput where a line is no labelled page."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield LabelledPage.model_validate_json(line)
            except ValidationError as error:
                raise InvalidInput(
                    f"line {number} of {path.name} is no labelled page: write such a file with `lectern cleaner tag`",
                    file=path.name, line=number,
                ) from error  # fmt: skip


def by_document(pages: Iterable[LabelledPage]) -> Iterator[list[LabelledPage]]:
    return (list(own) for _, own in groupby(pages, key=lambda one: one.document))


def rows(document: list[LabelledPage]) -> Iterator[Row]:
    """The pages of one document. Lines that nobody labelled are left out."""
    parameters = CleaningParameters()
    pages = [one.page for one in document]
    known = habits(pages, parameters)
    for seen, one in zip(ruled(pages, known, parameters.margin_share), document, strict=True):
        truth = flat_labels(one)
        found = seen.features(known)
        if len(truth) != len(found.dense):
            raise InvalidInput(
                f"page {one.page.number} of {one.document[:80]} has {len(found.dense)} lines and {len(truth)} labels: there "
                "must be one for each line of each block, or null",
                page=one.page.number,
            )
        yield _told(found, truth)


def flat_labels(one: LabelledPage) -> list[LineLabel | None]:
    return [label for own in one.labels for label in own]


def _told(found: Features, truth: list[LineLabel | None]) -> Row:
    kept = [at for at, label in enumerate(truth) if label is not None]
    labels = np.array([LABELS.index(truth[at]) for at in kept], dtype=np.int64)  # type: ignore[arg-type]
    if len(kept) == len(truth):
        return found, labels
    words = [found.words[found.offsets[at] : found.offsets[at + 1]] for at in kept]
    offsets = np.cumsum([0, *(len(own) for own in words)], dtype=np.int64)
    return Features(found.dense[kept], np.concatenate([found.words[:0], *words]), offsets), labels

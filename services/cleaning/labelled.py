"""Files of labelled pages (JSON lines of `LabelledPage`), as what models of lines learn from and are measured by."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from services.cleaning.stages.habits import habits
from services.cleaning.stages.line_features import LABELS, Features
from services.cleaning.stages.page_lines import lines_of
from services.cleaning.stages.ruled_pages import RuledPage, ruled
from shared.contracts.documents import CleaningParameters, LineLabel
from shared.contracts.taggers import LabelledPage
from shared.errors import InvalidInput

Row = tuple[Features, NDArray[np.int64]]
"""A page as a model sees it, and the label of each of its lines, by number."""


def read_labelled(path: Path) -> Iterator[LabelledPage]:
    """Raises InvalidInput where a line is no labelled page."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _whole(LabelledPage.model_validate_json(line))
            except ValidationError as error:
                raise InvalidInput(
                    f"line {number} of {path.name} is no labelled page: write such a file with `lectern cleaner tag`",
                    file=path.name, line=number,
                ) from error  # fmt: skip


def by_document(pages: Iterable[LabelledPage]) -> Iterator[list[LabelledPage]]:
    return (list(own) for _, own in groupby(pages, key=lambda one: one.document))


def rows(document: list[LabelledPage]) -> Iterator[Row]:
    """The pages of one document. Lines that nobody labelled are left out."""
    known = habits([one.page for one in document], CleaningParameters())
    for page, one in zip(seen(document), document, strict=True):
        yield _told(page.features(known), flat_labels(one))


def seen(document: list[LabelledPage]) -> Iterator[RuledPage]:
    """The pages of one document as rules see them."""
    parameters = CleaningParameters()
    pages = [one.page for one in document]
    return ruled(pages, habits(pages, parameters), parameters.margin_share)


def flat_labels(one: LabelledPage) -> list[LineLabel | None]:
    return [label for own in one.labels for label in own]


def _whole(one: LabelledPage) -> LabelledPage:
    counts = [len(lines_of(block)) for block in one.page.blocks]
    if counts != [len(own) for own in one.labels]:
        raise InvalidInput(
            f"page {one.page.number} of {one.document[:80]!r} has not one label (or null) for each line of each block",
            page=one.page.number,
        )
    return one


def _told(found: Features, truth: list[LineLabel | None]) -> Row:
    kept = [at for at, label in enumerate(truth) if label is not None]
    labels = np.array([LABELS.index(truth[at]) for at in kept], dtype=np.int64)
    if len(kept) == len(truth):
        return found, labels
    words = [found.words[found.offsets[at] : found.offsets[at + 1]] for at in kept]
    offsets = np.cumsum([0, *(len(own) for own in words)], dtype=np.int64)
    return Features(found.dense[kept], np.concatenate([found.words[:0], *words]), offsets), labels

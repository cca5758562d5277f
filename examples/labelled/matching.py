"""Lines as extraction read them, matched to the places where the typesetter set them."""

from collections.abc import Sequence

from examples.labelled.marks import Mark
from services.cleaning.stages.page_lines import TextLine, lines_of
from shared.contracts.documents import Box, LineLabel, Page
from shared.contracts.taggers import LabelledPage


def labelled(document: str, page: Page, marks: Sequence[Mark]) -> LabelledPage:
    """A line takes the label of the smallest place that its middle lies in, or of the one that covers most of it."""
    labels = tuple(tuple(_label(line, marks) for line in lines_of(block)) for block in page.blocks)
    return LabelledPage(document=document, page=page, labels=labels)


def _label(line: TextLine, marks: Sequence[Mark]) -> LineLabel | None:
    if line.box is None:
        return None
    across, down = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    inside = [one for one in marks if one.box[0] <= across <= one.box[2] and one.box[1] <= down <= one.box[3]]
    if inside:
        return min(inside, key=lambda one: _area(one.box)).label
    best = max(marks, key=lambda one: _shared(one.box, line.box), default=None)
    return best.label if best is not None and _shared(best.box, line.box) > 0 else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _shared(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)

"""Places on pages and what stands there; and text, tables and drawings that leave such a mark where they are drawn."""

from dataclasses import dataclass

from reportlab.graphics.shapes import Drawing
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Table

from shared.contracts.documents import Box, LineLabel


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a page, and what stands there. The origin of the box is the page's top left."""

    page: int
    box: Box
    label: LineLabel


class _Marking:
    """Something drawn that leaves a mark: a mixin for flowables. The label rides on the style, which survives a split."""

    canv: Canvas
    width: float
    height: float

    def leave_mark(self, label: LineLabel) -> None:
        left, bottom = self.canv.absolutePosition(0, 0)
        mark(self.canv, (left - 14, bottom, left + self.width + 4, bottom + self.height), label)


def mark(canvas: Canvas, box: Box, label: LineLabel) -> None:
    """`box` has its origin at the bottom left, as canvases have."""
    top = canvas._pagesize[1]
    canvas.marks.append(Mark(canvas.getPageNumber(), (box[0], top - box[3], box[2], top - box[1]), label))


class Text(Paragraph, _Marking):
    def draw(self) -> None:
        self.leave_mark(self.style.label)
        super().draw()


class Grid(Table, _Marking):
    def draw(self) -> None:
        self.width, self.height = self._width, self._height
        self.leave_mark("table")
        super().draw()


class Plot(Flowable, _Marking):
    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self._drawing, self.width, self.height = drawing, drawing.width, drawing.height

    def wrap(self, *available: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        self.leave_mark("figure_caption")
        self._drawing.drawOn(self.canv, 0, 0)

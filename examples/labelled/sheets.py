"""Sets an invented document and remembers the label of every place it set text in."""

from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, FrameBreak, NextPageTemplate, PageTemplate

from examples.labelled.elements import GUTTER, Elements
from examples.labelled.houses import SLOTS
from examples.labelled.marks import Mark, mark
from shared.contracts.documents import LineLabel

NOTES = 74.0
"""Height of the room for notes at the foot of some pages, in points."""


class Sheets(Elements):
    """The pages of one document: frames, running lines, notes."""

    def write(self, target: Path) -> list[Mark]:
        marks: list[Mark] = []

        class Marked(Canvas):
            def __init__(self, *given: object, **named: object) -> None:
                super().__init__(*given, **{**named, "invariant": 1})
                self.marks = marks

        book = BaseDocTemplate(str(target), pagesize=self.page)
        top, bottom = self.page[1] - self.edge, self.edge
        front = list(self._front())
        measure = self.page[0] - self.margin - self._right()
        room = sum(one.wrap(measure, 10_000)[1] + one.getSpaceBefore() + one.getSpaceAfter() for one in front) + 12
        heading = Frame(self.margin, top - room, measure, room, 0, 0, 0, 0)
        book.addPageTemplates([
            PageTemplate("first", [heading, *self._frames(bottom, top - room)], onPageEnd=self._decorate),
            PageTemplate("plain", self._frames(bottom, top), onPageEnd=self._decorate),
            PageTemplate("noted", self._frames(bottom + NOTES, top), onPageEnd=self._decorate_noted),
        ])  # fmt: skip
        noted = self.house.shares.get("footnote", 0) > 0
        following = [self.luck.choice(("plain", "noted")) if noted else "plain" for _ in range(12)]
        book.build([NextPageTemplate([*following, "*"]), *front, FrameBreak(), *self._story()], canvasmaker=Marked)
        return marks

    def _frames(self, bottom: float, top: float) -> list[Frame]:
        lefts = [self.margin + number * (self.width + GUTTER) for number in range(self.columns)]
        return [Frame(left, bottom, self.width, top - bottom, 0, 0, 0, 0) for left in lefts]

    def _decorate(self, canvas: Canvas, book: BaseDocTemplate) -> None:
        page, size = canvas.getPageNumber(), max(6.5, self.size * 0.82)
        head, foot = self.page[1] - self.edge * 0.62, self.edge * 0.55
        self._slots(canvas, self.house.heads, page, head, size)
        self._slots(canvas, self.house.feet, page, foot, size)
        if page == 1 and "sidebar" in self.house.front:
            self._sidebar(canvas)
        if page == 1 and "imprint-note" in self.house.front:
            self._imprint(canvas)

    def _slots(self, canvas: Canvas, names: tuple[str, ...], page: int, y: float, size: float) -> None:
        places = (["left", "right"] if page % 2 or not self._bold_label else ["right", "left"]) + ["centre"]
        places = places if len(names) > 1 else [self._lone_place(page)]
        for name, place in zip(names, places, strict=False):
            if page == 1 and name in ("running", "chapter", "title", "section-title"):
                continue
            text, label = SLOTS[name](self.running, page)
            self._put(canvas, text, place, y, size, label)  # type: ignore[arg-type]

    def _lone_place(self, page: int) -> str:
        return "centre" if self._numbered else ("left" if page % 2 == 0 else "right")

    def _put(self, canvas: Canvas, text: str, place: str, y: float, size: float, label: LineLabel) -> None:
        width = stringWidth(text, self.body, size)
        left, right = self._right(), self.page[0] - self._right()
        x = {"left": left, "right": right - width, "centre": (left + right - width) / 2}[place]
        canvas.setFont(self.body, size)
        canvas.drawString(x, y, text)
        mark(canvas, (x - 2, y - size * 0.4, x + width + 2, y + size * 1.1), label)

    def _sidebar(self, canvas: Canvas) -> None:
        writer, year = self.writer, self.running.year
        texts = self.luck.choice((
            (f"DOI: {writer.doi()}", "Software", "• Review", "• Repository", "• Archive", f"Submitted: {year}", "License", "Authors retain", "copyright and release", "under CC BY 4.0"),
            ("OPEN ACCESS", "Edited by:", writer.name(), "Reviewed by:", writer.name(), writer.name(), "Correspondence:", writer.mail(), f"Received {year}", f"Published {year}"),
            (writer.journal()[:24].upper(), "Edited by", writer.name(), "Received", f"4 May {year}", "Published", f"22 May {year}", "DOI", writer.doi()),
            ("Article", "History", f"Received {year}", "Keywords", writer.noun(), writer.noun(), "ISSN", "1234-5678"),
        ))  # fmt: skip
        y = self.page[1] * 0.7
        for text in texts:
            y -= self.size * 1.3
            self._put(canvas, text[: int(95 / self.size * 2)], "left", y, self.size * 0.8, "boilerplate")

    def _imprint(self, canvas: Canvas) -> None:
        """What publishers set at the foot of a first page."""
        writer, year, y = self.writer, self.running.year, self.edge - 2
        notes = [
            f"Copyright © {year} {writer.name()} and {writer.name()}, released under a {writer.pick('Creative Commons', 'free')} licence.",
            f"Correspondence should be addressed to {writer.name()} ({writer.mail()})",
            f"{writer.pick('Code', 'Data')} is available at https://{writer.noun()}.example/{writer.noun()}.",
            "The authors have declared that no competing interests exist.",
        ]  # fmt: skip
        for text in self.luck.sample(notes, self.luck.randint(1, 3)):
            y -= self.size * 0.95
            self._put(canvas, text[: int(self.page[0] / self.size * 1.6)], "left", y, self.size * 0.75, "boilerplate")

    def _decorate_noted(self, canvas: Canvas, book: BaseDocTemplate) -> None:
        self._decorate(canvas, book)
        y = self.edge + NOTES - 16
        canvas.line(self.margin, y + 10, self.margin + 90, y + 10)
        for column in range(self.columns):
            self._notes(canvas, self.margin + column * (self.width + GUTTER), y)

    def _notes(self, canvas: Canvas, left: float, y: float) -> None:
        if canvas.getPageNumber() == 1 and self.house.front:
            return
        for _ in range(self.luck.randint(1, 2)):
            self._counts["note"] += 1
            sign = str(self._counts["note"]) if self._numbered else self.luck.choice("*†‡")
            text = f"<super>{sign}</super> {escape(self.writer.sentence()[:150])}"
            note = self._text(text, "footnote", self.luck.choice((0.8, 0.85)))
            _, height = note.wrap(self.width, NOTES)
            y -= height
            if y < self.edge - 4:
                return
            note.drawOn(canvas, left, y)
            y -= 2

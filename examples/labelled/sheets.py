"""Sets an invented document and remembers the label of every place it set text in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Drawing, Group, Rect, String
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    NextPageTemplate,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from examples.labelled.houses import SLOTS, House, Running
from examples.labelled.words import PLACES, Writer
from examples.typesetting.figures import FIGURES
from shared.contracts.documents import Box, LineLabel

GUTTER, NOTES = 16.0, 74.0
"""Between columns, and the height of the room for notes at the foot of some pages, in points."""


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


class Sheets:
    """One document of a house. The same seed gives the same document."""

    def __init__(self, house: House, seed: int) -> None:
        self.luck = luck = Random(f"{house.name}-{seed}")
        self.house, self.writer = house, Writer(luck)
        self.page = luck.choice(house.pages)
        self.columns = luck.choice(house.columns)
        self.body = luck.choice(house.bodies)
        self.size = round(luck.uniform(*house.sizes) * 2) / 2
        self.margin = luck.uniform(0.08, 0.14) * self.page[0] + (90 if "sidebar" in house.front else 0)
        self.edge = luck.uniform(46, 78)
        self.cite = luck.choice(("numeric", "authors")) if house.with_references else ""
        self.width = (self.page[0] - self.margin - self._right() - GUTTER * (self.columns - 1)) / self.columns
        self.pages_wanted = luck.randint(1, 6)
        self.title = self.writer.title(luck.randint(4, 8))
        self._counts = {"table": 0, "figure": 0, "equation": 0, "heading": 0, "note": 0}
        self._numbered = luck.random() < 0.6
        self._bold_label = luck.random() < 0.5
        self._caption_words = luck.choice((("Figure", "Table"), ("Fig.", "Table"), ("FIGURE", "TABLE"), ("Figure", "Tab.")))
        self._caption_mark = luck.choice((".", ":", ".", ":", " –"))
        self._heading_size = luck.uniform(1.05, 1.4)
        self.running = Running(
            self.writer, self.title, self.writer.journal(), self.writer.heading(), f"{self.writer.name().split()[1]} Ltd",
            f"{luck.randint(0, 10**8):08}", self.writer.year(), self.pages_wanted + 1,
        )  # fmt: skip

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

    def _right(self) -> float:
        return self.margin - (90 if "sidebar" in self.house.front else 0)

    def _frames(self, bottom: float, top: float) -> list[Frame]:
        lefts = [self.margin + number * (self.width + GUTTER) for number in range(self.columns)]
        return [Frame(left, bottom, self.width, top - bottom, 0, 0, 0, 0) for left in lefts]

    def _style(self, label: LineLabel, scale: float = 1.0, **more: object) -> ParagraphStyle:
        size = self.size * scale
        style = ParagraphStyle(label, fontName=self.body, fontSize=size, leading=size * 1.22, spaceAfter=size * 0.5)
        for name, value in more.items():
            setattr(style, name, value)
        style.label = label
        return style

    def _text(self, text: str, label: LineLabel = "content", scale: float = 1.0, **more: object) -> Text:
        return Text(text, self._style(label, scale, **more))

    def _bold(self) -> str:
        return {"Times-Roman": "Times-Bold", "Helvetica": "Helvetica-Bold", "Courier": "Courier-Bold"}[self.body]

    def _front(self) -> Iterator[Flowable]:
        centred = TA_CENTER if self.luck.random() < 0.6 else TA_LEFT
        for kind in ("letterhead", "masthead"):
            if kind in self.house.front:
                yield from self._front_matter(kind, centred)
        scale = self.luck.uniform(1.4, 2.0)
        yield self._text(escape(self.title), scale=scale, fontName=self._bold(), alignment=centred, spaceAfter=10)
        if self.luck.random() < 0.25:
            yield self._text(escape(self.writer.title(4)), scale=self.luck.choice((1.1, 1.25)), alignment=centred)
        for kind in self.house.front:
            if kind not in ("letterhead", "masthead", "sidebar", "imprint-note"):
                yield from self._front_matter(kind, centred)

    def _front_matter(self, kind: str, alignment: int) -> Iterator[Flowable]:
        writer, year, count = self.writer, self.running.year, self.luck.randint(1, 4)
        names = [writer.name() for _ in range(count)]
        lines = {
            "authors": [", ".join(f"{name}<super>{at + 1}</super>" if self._numbered else name for at, name in enumerate(names))],
            "institutes": [f"<super>{at + 1}</super>{writer.institute()}" for at in range(min(count, 3))],
            "mails": [writer.mail() if self._numbered else f"Corresponding author: {writer.mail()}"],
            "dates": [f"Received {year % 28 + 1} March {year}; accepted {year % 27 + 2} June {year}"],
            "keywords": self.luck.choice((
                [f"<b>Keywords:</b> {', '.join(writer.noun() for _ in range(5))}"],
                ["<b>Keywords</b>", ", ".join(writer.noun() for _ in range(5))],
                [f"<i>Index terms</i>—{'; '.join(writer.noun() for _ in range(4))}"],
            )),
            "licence": [f"© {year} The Authors. This is an open access article under the terms of the {writer.pick('Creative Commons', 'CC BY', 'Open Use')} licence, which permits use and distribution in any medium."],
            "permission": [f"Permission to make copies of part or all of this work for personal use is granted without fee provided that copies bear this notice. DOI: {writer.doi()}"],
            "disclaimer": [f"{self.running.company} accepts no liability for loss arising from the use of this report. All rights reserved."],
            "imprint": [f"First published {year} by {self.running.company}, {writer.pick('London', 'Leipzig')}", f"ISBN 978-{self.running.code[0]}-{self.running.code[:5]}-{self.running.code[-3:]}-{year % 10}", "Printed on acid-free paper. All rights reserved."],
            "letterhead": [self.running.company, f"Mill Lane {self.running.code[-2:]}, {writer.pick('Halver', 'Lunde', 'Besk')}", f"Phone {self.running.code[:4]} {self.running.code[4:]} · {writer.mail()}"],
            "masthead": [f"Bulletin of {self.running.company} · Volume {self.running.code[-2:]} · {year}"],
            "particulars": self.luck.sample([
                f"{self.running.code[:3]}-{self.running.code[-3:]}, {writer.pick('second edition', 'issue 6', 'version 2.1')}",
                f"{year % 28 + 1} {writer.pick('March', 'June', 'October')} {year}", writer.institute().split(",")[0],
                f"{writer.pick('Compiled by', 'Prepared by', 'Text:')} {writer.name()}", f"File {year % 90}/{count}, not for circulation",
                f"{writer.pick('In force from', 'Valid from')} 1 May {year}", str(year), f"{self.running.company}, {writer.luck.choice(PLACES)}",
            ], count + 1),
            "notice": [f"DISTRIBUTION: approved for release. Supersedes edition of {year - 4}. Printed copies are uncontrolled."],
        }[kind]  # fmt: skip
        for line in lines:
            yield self._text(line, "boilerplate", self.luck.choice((0.85, 0.9, 1.0)), alignment=alignment, spaceAfter=4)

    def _story(self) -> Iterator[Flowable]:
        kinds, weights = list(self.house.shares), list(self.house.shares.values())
        room = self.pages_wanted * (self.page[1] - 2 * self.edge) * self.columns
        if self.house.with_references and self.luck.random() < 0.7:
            yield self._text(f"<b>Abstract.</b> {escape(self.writer.paragraph(4))}", scale=0.92)
        if self.house.name in ("manual", "book", "thesis", "field manual") and self.luck.random() < 0.5:
            yield from self._contents()
        while room > 0:
            made = [self._heading()] if self.luck.random() < 0.22 else []
            made += self._element(self.luck.choices(kinds, weights)[0])
            for one in made:
                parts = one._content if isinstance(one, KeepTogether) else [one]
                room -= sum(part.wrap(self.width, 10_000)[1] for part in parts) + self.size
            yield from made
        if self.luck.random() < self.house.with_references:
            yield from self._references()

    def _contents(self) -> Iterator[Flowable]:
        yield self._text("Contents", scale=self._heading_size, fontName=self._bold())
        leader = self.luck.choice((" . ", ".", "&nbsp;"))
        for number in range(1, self.luck.randint(5, 18)):
            text = f"{number} {self.writer.heading()} "
            yield self._text(f"{text}{leader * ((70 - len(text)) // len(leader.strip('&;') or ' '))} {number * 3}", spaceAfter=1)

    def _heading(self) -> Flowable:
        self._counts["heading"] += 1
        number = f"{self._counts['heading']}{self.luck.choice(('', '.'))} " if self._numbered else ""
        return self._text(
            number + escape(self.writer.heading()),
            scale=self._heading_size,
            fontName=self._bold(),
            keepWithNext=1,
            spaceBefore=8,
        )

    def _element(self, kind: str) -> list[Flowable]:
        return list(getattr(self, f"_{kind}")()) if kind != "footnote" else list(self._prose())

    def _prose(self) -> Iterator[Flowable]:
        text = escape(self.writer.paragraph(self.luck.randint(1, 7), self.cite))
        justified = TA_JUSTIFY if self._numbered else TA_LEFT
        yield self._text(text, alignment=justified, firstLineIndent=12 if self._bold_label else 0)

    def _quote(self) -> Iterator[Flowable]:
        yield self._text(escape(self.writer.paragraph(2)), scale=0.92, leftIndent=24, rightIndent=24)

    def _warning(self) -> Iterator[Flowable]:
        yield self._text(f"<b>{self.writer.pick('WARNING', 'CAUTION', 'NOTE')}</b> {escape(self.writer.sentence())}")

    def _list(self) -> Iterator[Flowable]:
        bullet = self.luck.choice(("•", "–", "1"))
        for number in range(1, self.luck.randint(3, 7)):
            sign = f"{number}." if bullet == "1" else bullet
            yield self._text(f"{sign} {escape(self.writer.sentence())}", leftIndent=18, firstLineIndent=-12, spaceAfter=2)

    def _code(self) -> Iterator[Flowable]:
        for line in self.writer.code():
            text = escape(line).replace(" ", "&nbsp;")
            yield self._text(text, scale=0.85, fontName="Courier", spaceAfter=0, leftIndent=10)
        yield Spacer(0, self.size)

    def _equation(self) -> Iterator[Flowable]:
        self._counts["equation"] += 1
        text = f"<i>{escape(self.writer.equation())}</i>"
        if self.luck.random() < 0.6:
            text += f"{'&nbsp;' * self.luck.randint(6, 14)}({self._counts['equation']})"
        yield self._text(text, "equation", fontName="Times-Roman", alignment=TA_CENTER, spaceBefore=5)

    def _caption(self, kind: str) -> Text:
        self._counts[kind] += 1
        word = self._caption_words[0 if kind == "figure" else 1]
        label = f"{word} {self._counts[kind]}{self._caption_mark}"
        label = f"<b>{label}</b>" if self._bold_label else label
        text = self.writer.paragraph(self.luck.randint(1, 3)) if self.luck.random() < 0.7 else self.writer.title()
        return self._text(f"{label} {escape(text)}", "figure_caption", self.luck.choice((0.85, 0.9, 1.0)))

    def _figure(self) -> Iterator[Flowable]:
        width = self.width * self.luck.uniform(0.6, 1.0)
        drawing = self._diagram(width) if self.luck.random() < 0.35 else FIGURES[self.luck.choice(list(FIGURES))](width)
        if self.luck.random() < 0.5:
            for at in range(self.luck.randint(1, 4)):
                drawing.add(String(width * 0.6, drawing.height - 14 - 9 * at, self.writer.heading()[:14], fontSize=7))
        if self.luck.random() < 0.4:
            title = String(width * 0.2, drawing.height + 2, f"{self.writer.heading()} of {self.writer.noun()}s", fontSize=8)
            drawing.add(title)
        if self.luck.random() < 0.4:
            axis = Group(String(0, 0, f"{self.writer.noun()} [{self.writer.pick('s', 'm', '%')}]", fontSize=7))
            axis.rotate(90)
            axis.translate(drawing.height * 0.3, -8)
            drawing.add(axis)
        yield KeepTogether([Plot(drawing), self._caption("figure"), Spacer(0, self.size * 0.6)])

    def _diagram(self, width: float) -> Drawing:
        """Boxes with words in them."""
        rows, columns = self.luck.randint(2, 4), self.luck.randint(2, 3)
        drawing = Drawing(width, rows * 40)
        for at in range(rows * columns):
            x, y = at % columns * width / columns, at // columns * 40
            drawing.add(Rect(x + 4, y + 6, width / columns - 12, 26, fillColor=None))
            drawing.add(String(x + 8, y + 16, f"{self.writer.noun()} {self.writer.pick('', self.writer.noun())}"[:18], fontSize=8))
        return drawing

    def _table(self) -> Iterator[Flowable]:
        wordy = self.luck.random() < 0.35
        columns, rows = self.luck.randint(2, 3 if wordy else 8), self.luck.randint(3, 8 if wordy else 32)
        size = self.size * self.luck.choice((0.7, 0.8, 0.85, 0.95))
        numbers = self.luck.choice(("plain", "counted", "mixed", "words"))
        grid = [[self.writer.noun().capitalize() for _ in range(columns)]]
        if self.luck.random() < 0.3:
            grid.append(["", *(self.luck.choice(("Total", "Actual", "2019", "mean", "kg/m")) for _ in range(columns - 1))])
        for row in range(rows):
            first = str(1990 + row) if numbers == "counted" else self.writer.noun()
            grid.append([first, *(self._cell(numbers, wordy, columns) for _ in range(columns - 1))])
        if wordy:
            grid = [[Paragraph(escape(cell), self._style("table", size / self.size)) for cell in row] for row in grid]
        table = Grid(grid, style=self._rules(size), colWidths=[self.width / columns * 0.97] * columns, repeatRows=1)
        above = [self._caption("table")]
        if self.luck.random() < 0.25:
            unit = self.writer.pick("[In thousands]", "(percentages)", "in metres above datum")
            above.append(self._text(unit, "figure_caption", 0.85, alignment=self.luck.choice((TA_LEFT, TA_CENTER, TA_RIGHT))))
        below = list(self._table_notes()) if self.luck.random() < 0.4 else []
        if self.luck.random() < 0.2:
            above, below = [], [*below, self._caption("table")]
        yield from (*above, table, Spacer(0, 3), *below, Spacer(0, self.size))

    def _rules(self, size: float) -> TableStyle:
        style: list[tuple[object, ...]] = [
            ("FONT", (0, 0), (-1, -1), self.body, size), ("TOPPADDING", (0, 0), (-1, -1), 1.2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.2), ("LEADING", (0, 0), (-1, -1), size * 1.15), ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]  # fmt: skip
        if self.luck.random() < 0.4:
            return TableStyle([*style, ("GRID", (0, 0), (-1, -1), 0.4, colors.grey)])
        lines = (("LINEABOVE", (0, 0), (-1, 0)), ("LINEBELOW", (0, 0), (-1, 0)), ("LINEBELOW", (0, -1), (-1, -1)))
        return TableStyle([*style, *((*line, 0.7, colors.black) for line in lines)])

    def _table_notes(self) -> Iterator[Flowable]:
        writer = self.writer
        notes = [
            f"— {writer.pick('Not available', 'Not applicable', 'Rounds to zero')}.",
            *(f"<super>{at}</super> {escape(writer.sentence())}" for at in range(1, self.luck.randint(2, 4))),
            f"{writer.pick('NOTE', 'Note', 'Notes')}: {escape(writer.paragraph(self.luck.randint(1, 3)))}",
            f"{writer.pick('SOURCE', 'Source')}: {escape(writer.institute())}, {writer.journal()}, {writer.year()}. (This table was prepared March {writer.year()}.)",
            "See notes at end of table.",
        ]  # fmt: skip
        scale = self.luck.choice((0.7, 0.8, 0.85))
        for note in self.luck.sample(notes, self.luck.randint(1, len(notes) - 1)):
            yield self._text(note, "footnote", scale, spaceAfter=1)

    def _cell(self, numbers: str, wordy: bool, columns: int) -> str:
        if wordy:
            return self.writer.sentence()[: self.luck.choice((14, 24, 40, 90))]
        if numbers == "words" or (numbers == "mixed" and self.luck.random() < 0.4):
            return f"{self.writer.noun()} {self.writer.noun()}"[: int(self.width / columns / self.size * 1.7)]
        return self.luck.choice(
            (f"{self.luck.uniform(0, 90):.2f}", f"{self.luck.randint(1, 99_999):,}", "–", f"{self.luck.randint(1, 99)} %", "—",
             f"{self.luck.randint(1, 999)}", f"−{self.luck.uniform(0, 9):.1f}", f"{self.luck.uniform(0, 1):.3f}")
        )  # fmt: skip

    def _references(self) -> Iterator[Flowable]:
        title = self.luck.choice(("References", "References", "REFERENCES", "Bibliography", "Literature", "Works cited"))
        yield self._text(title, "citation", self._heading_size, fontName=self._bold(), keepWithNext=1)
        style = self.luck.choice(self.house.references)
        scale, hanging = self.luck.choice((0.85, 0.9, 1.0)), self.luck.choice((0, 14, 18))
        for number in range(1, self.luck.randint(6, 26)):
            text = style(self.writer, number).replace("&", "&amp;")
            yield self._text(text, "citation", scale, leftIndent=hanging, firstLineIndent=-hanging, spaceAfter=2.5)
        if self.luck.random() < 0.2:
            yield self._text("Appendix", scale=self._heading_size, fontName=self._bold())
            yield from self._prose()

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

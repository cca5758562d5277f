"""What an invented document consists of: title and front matter, prose, lists, code, formulas, figures, tables, references."""

from collections.abc import Iterator
from random import Random
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Drawing, Group, Rect, String
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, TableStyle

from examples.labelled.houses import House, Running
from examples.labelled.marks import Grid, Plot, Text
from examples.labelled.words import PLACES, Writer
from examples.typesetting.figures import FIGURES
from shared.contracts.documents import LineLabel

GUTTER = 16.0
"""Between columns, in points."""


class Elements:
    """The elements of one document of a house. The same seed gives the same document."""

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

    def _right(self) -> float:
        return self.margin - (90 if "sidebar" in self.house.front else 0)

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
            yield self._text(
                f"{text}{leader * ((70 - len(text)) // len(leader.strip('&;') or ' '))} {number * 3}", spaceAfter=1
            )

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
            drawing.add(
                String(x + 8, y + 16, f"{self.writer.noun()} {self.writer.pick('', self.writer.noun())}"[:18], fontSize=8)
            )
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

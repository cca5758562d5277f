"""Turns the blocks of a source into reportlab's flowables, in the look of their kind."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.pdfbase.pdfmetrics import Font, getFont, registerFont, stringWidth
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, Table, TableStyle

from examples.typesetting.figures import FIGURES
from examples.typesetting.looks import Look, styles
from examples.typesetting.source import Block, Callout, Figure, Formula, Grid, Heading, Items, Prose, Reference, Source

LIGATURES = {"fi": "\N{LATIN SMALL LIGATURE FI}", "fl": "\N{LATIN SMALL LIGATURE FL}"}
CELL_PADDING = 12.0


def give_ligatures(name: str) -> None:
    """Let a built-in font set fi and fl, which its usual encoding lacks, from a second encoding of the same face."""
    font = getFont(name)
    if not any(other.fontName == f"{name}-Ligatures" for other in font.substitutionFonts):
        registerFont(Font(f"{name}-Ligatures", name, "MacRomanEncoding"))
        font.substitutionFonts.insert(0, getFont(f"{name}-Ligatures"))


class ChapterHeading(Paragraph):
    """A heading that knows its level, for the table of contents and the running header."""

    def __init__(self, text: str, style: object, level: int, label: str) -> None:
        super().__init__(text, style)
        self.level = level
        self.label = label


class Flow:
    """Sets blocks one after the other, counting headings, tables and figures. `width` is that of a column, in points."""

    def __init__(self, source: Source, look: Look, width: float) -> None:
        self._source, self._look, self._width = source, look, width
        self.styles = styles(look)
        self._numbers = [0, 0]
        self._clause = self._tables = self._figures = 0
        if look.ligatures:
            for face in ("Times-Roman", "Times-Bold", "Times-Italic"):
                give_ligatures(face)

    def __iter__(self) -> Iterator[Flowable]:
        """Flowables in order; headings stay with the table or figure that follows them."""
        headings: list[Flowable] = []
        for flowable in (one for block in self._source.blocks for one in self._set(block)):
            if isinstance(flowable, ChapterHeading):
                headings.append(flowable)
                continue
            if headings and isinstance(flowable, KeepTogether):
                yield KeepTogether([*headings, *flowable._content])
            else:
                yield from (*headings, flowable)
            headings = []

    def markup(self, text: str) -> str:
        """Source markup to reportlab's: emphasis, code, and ligatures where the look has them."""
        text = escape(text)
        if self._look.ligatures:
            text = re.sub(r"fi|fl", lambda match: LIGATURES[match[0]], text)
        text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
        text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
        return re.sub(r"`(.+?)`", r'<font face="Courier">\1</font>', text)

    def paragraph(self, text: str, style: str, bullet: str | None = None) -> Paragraph:
        return Paragraph(self.markup(text), self.styles[style], bulletText=bullet)

    def _set(self, block: Block) -> Iterator[Flowable]:
        match block:
            case Heading():
                yield self._heading(block)
            case Prose():
                yield self.paragraph(*self._prose(block))
            case Items():
                for number, text in enumerate(block.texts, start=1):
                    yield self.paragraph(text, "item", f"{number}." if block.ordered else "\N{BULLET}")
                yield Spacer(0, self._look.leading * 0.3)
            case Grid():
                yield from self._grid(block)
            case Figure():
                yield self._figure(block)
            case Callout():
                yield self._callout(block)
            case Formula():
                yield self.paragraph(f"*{block.text}*", "formula")
            case Reference():
                yield self.paragraph(block.text, "reference", f"[{block.number}]")

    def _prose(self, block: Prose) -> tuple[str, str]:
        if self._look.numbering == "clauses" and self._numbers[0]:
            self._clause += 1
            return f"**{self._numbers[0]}.{self._clause}** {block.text}", "body"
        return block.text, "abstract" if block.text.startswith("**Abstract.**") else "body"

    def _heading(self, block: Heading) -> Flowable:
        self._clause = 0
        self._numbers = [self._numbers[0] + 1, 0] if block.level == 1 else [self._numbers[0], self._numbers[1] + 1]
        label = f"{self._number(block)}{block.text}"
        return ChapterHeading(self.markup(label), self.styles[f"h{block.level}"], block.level, label)

    def _number(self, block: Heading) -> str:
        major, minor = self._numbers
        if block.text in {"References", "Acknowledgements"}:
            return ""
        match self._look.numbering:
            case "decimal" | "clauses":
                return f"{major} " if block.level == 1 else f"{major}.{minor} "
            case "meeting":
                return f"204/{major} "
        return ""

    def _grid(self, block: Grid) -> Iterator[Flowable]:
        self._tables += 1
        caption = self.paragraph(f"**Table {self._tables}.** {block.caption}", "caption")
        head = [self.paragraph(f"**{cell}**", "cell") for cell in block.rows[0]]
        rows = [[self.paragraph(cell, "cell") for cell in row] for row in block.rows[1:]]
        table = Table([head, *rows], colWidths=self._widths(block), repeatRows=1, hAlign="LEFT", style=self._rules())
        yield KeepTogether([caption, table, Spacer(0, self._look.leading * 0.8)])

    def _widths(self, block: Grid) -> list[float]:
        """Columns that fill the measure in proportion to their longest cell, none narrower than its longest word."""
        columns = list(zip(*block.rows, strict=True))
        least = [
            max(self._breadth(word) for cell in column for word in [*cell.split(), ""]) + CELL_PADDING for column in columns
        ]
        wanted = [min(max(self._breadth(cell) for cell in column), self._width * 0.5) + CELL_PADDING for column in columns]
        slack = (self._width - sum(least)) / (sum(wanted) - sum(least) + len(columns))
        return [low + (high - low + 1) * slack for low, high in zip(least, wanted, strict=True)]

    def _breadth(self, text: str) -> float:
        return stringWidth(text, self._look.display, self.styles["cell"].fontSize)

    def _rules(self) -> TableStyle:
        commands: list[tuple[object, ...]] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ]
        if self._look.grid:
            commands += [
                ("GRID", (0, 0), (-1, -1), 0.5, colors.grey),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e8ecf0")),
            ]
        else:
            commands += [
                ("LINEABOVE", (0, 0), (-1, 0), 0.9, colors.black),
                ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black),
                ("LINEBELOW", (0, -1), (-1, -1), 0.9, colors.black),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ]
        return TableStyle(commands)

    def _figure(self, block: Figure) -> Flowable:
        self._figures += 1
        caption = self.paragraph(f"**Figure {self._figures}.** {block.caption}", "caption")
        return KeepTogether([FIGURES[block.drawing](self._width), caption, Spacer(0, self._look.leading * 0.6)])

    def _callout(self, block: Callout) -> Flowable:
        kind, _, text = block.text.partition(": ")
        cell = self.paragraph(f"**{kind}.** {text}", "callout")
        box = TableStyle(
            [
                ("BOX", (0, 0), (-1, -1), 1, self._look.accent),
                ("BACKGROUND", (0, 0), (-1, -1), colors.HexColor("#f6f2e6")),
                ("TOPPADDING", (0, 0), (-1, -1), 6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
            ]
        )
        return KeepTogether([Table([[cell]], colWidths=[self._width], style=box), Spacer(0, self._look.leading * 0.7)])

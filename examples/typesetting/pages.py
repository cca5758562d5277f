"""Lays flowables on pages: title blocks, columns, running headers and footers."""

from collections.abc import Callable
from pathlib import Path

from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    HRFlowable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
)
from reportlab.platypus.tableofcontents import TableOfContents

from examples.typesetting.flow import ChapterHeading, Flow
from examples.typesetting.looks import LOOKS, Look
from examples.typesetting.source import Source

GUTTER = 18.0


class Book(BaseDocTemplate):
    """A document that remembers its chapter and, from a first pass, how many pages it has."""

    def __init__(self, target: Path, source: Source, look: Look, pages: int) -> None:
        super().__init__(
            str(target), pagesize=look.page, invariant=1, title=source.head["title"], author=source.head["affiliation"],
            creator="Lectern examples", leftMargin=look.margin, rightMargin=look.margin,
        )  # fmt: skip
        self.source, self.look, self.total = source, look, pages
        self.chapter = ""

    def handle_documentBegin(self) -> None:
        self.chapter = ""
        super().handle_documentBegin()

    def afterFlowable(self, flowable: Flowable) -> None:
        if isinstance(flowable, ChapterHeading):
            if flowable.level == 1:
                self.chapter = flowable.label
            self.notify("TOCEntry", (flowable.level - 1, flowable.label, self.page))


def write_pages(source: Source, target: Path) -> int:
    """Typeset with a text layer. Returns the number of pages, which the second pass prints in the footers."""
    pages = 0
    for _ in range(2):
        look = LOOKS[source.kind]
        book = Book(target, source, look, pages)
        _compose(book)
        pages = book.page
    return pages


def _compose(book: Book) -> None:
    look = book.look
    width, height = look.page
    column = (width - 2 * look.margin - GUTTER * (look.columns - 1)) / look.columns
    flow = Flow(book.source, look, column)
    title, rest = _title(book, flow), list(flow)
    if look.columns == 2:
        title, rest = [*title, rest[0]], rest[1:]
    measure = width - 2 * look.margin
    title_height = sum(one.wrap(measure, height)[1] + one.getSpaceBefore() + one.getSpaceAfter() for one in title) + 14
    top, bottom = height - look.margin - 14, look.margin
    if look.contents:
        title, title_height = [Spacer(0, height * 0.28), *title], top - bottom
    heading = Frame(look.margin, top - title_height, measure, title_height, 0, 0, 0, 0, id="title")
    first = [heading] if look.contents else [heading, *_columns(look, column, bottom, top - title_height)]
    book.addPageTemplates(
        [
            PageTemplate("first", first, onPageEnd=_decorate(first=True)),
            PageTemplate("later", _columns(look, column, bottom, top), onPageEnd=_decorate(first=False)),
        ]
    )
    opening: list[Flowable] = [NextPageTemplate("later"), *title]
    opening += [PageBreak(), *_contents(flow), PageBreak()] if look.contents else [FrameBreak()]
    book.multiBuild([*opening, *rest])


def _columns(look: Look, column: float, bottom: float, top: float) -> list[Frame]:
    lefts = [look.margin + number * (column + GUTTER) for number in range(look.columns)]
    return [Frame(left, bottom, column, top - bottom, 0, 0, 0, 0) for left in lefts]


def _title(book: Book, flow: Flow) -> list[Flowable]:
    head = book.source.head
    if book.look.columns == 2:
        return [
            flow.paragraph(head["title"], "title"),
            flow.paragraph(head["authors"], "byline"),
            flow.paragraph(f"*{head['affiliation']}*", "byline"),
        ]
    lines: list[Flowable] = [flow.paragraph(head["title"], "title")]
    if subtitle := head.get("subtitle"):
        lines.append(flow.paragraph(subtitle, "subtitle"))
    lines.append(HRFlowable(width="100%", color=book.look.accent, spaceBefore=2, spaceAfter=6))
    details = [head[name] for name in ("document", "date", "affiliation") if name in head]
    return [*lines, *(flow.paragraph(detail, "body") for detail in details)]


def _contents(flow: Flow) -> list[Flowable]:
    contents = TableOfContents(dotsMinLevel=0)
    body = flow.styles["body"]
    contents.levelStyles = [
        ParagraphStyle("toc1", body, spaceBefore=4, spaceAfter=0, fontName="Helvetica-Bold"),
        ParagraphStyle("toc2", body, leftIndent=16, spaceAfter=0),
    ]
    return [flow.paragraph("Contents", "title"), contents]


def _decorate(first: bool) -> Callable[[Canvas, Book], None]:
    """Running headers and footers, as each kind of document has them."""

    def draw(canvas: Canvas, book: Book) -> None:
        canvas.saveState()
        canvas.setFont("Times-Roman" if book.source.kind in {"paper", "policy", "minutes", "report"} else "Helvetica", 8)
        canvas.setStrokeColor(colors.grey)
        canvas.setLineWidth(0.4)
        HEADS_AND_FEET[book.source.kind](canvas, book, first)
        canvas.restoreState()

    return draw


def _edges(book: Book) -> tuple[float, float, float, float]:
    """Left, right, header baseline, footer baseline."""
    width, height = book.look.page
    return book.look.margin, width - book.look.margin, height - book.look.margin * 0.72, book.look.margin * 0.55


def _paper(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, head, foot = _edges(book)
    page = str(book.page - 1 + int(book.source.head["first-page"]))
    if first:
        canvas.drawString(left, head, book.source.head["journal"])
        canvas.drawCentredString((left + right) / 2, foot, page)
        return
    outer, inner = (left, right) if book.page % 2 == 0 else (right, left)
    running = book.source.head["running"] if book.page % 2 == 0 else book.source.head["title"].split(":")[0]
    (canvas.drawString if outer == left else canvas.drawRightString)(outer, head, page)
    (canvas.drawRightString if inner == right else canvas.drawString)(inner, head, running)


def _book(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, head, foot = _edges(book)
    if first and book.look.contents:
        return
    canvas.drawString(left, head, f"{book.source.head['document'].split(',')[0]}  {book.source.head['title']}")
    canvas.drawRightString(right, head, "" if first else book.chapter or "Contents")
    canvas.line(left, head - 4, right, head - 4)
    canvas.drawRightString(right, foot, str(book.page))


def _minutes(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, _, foot = _edges(book)
    canvas.line(left, foot + 11, right, foot + 11)
    canvas.drawString(left, foot, f"{book.source.head['affiliation']} \N{MIDDLE DOT} {book.source.head['title']}")
    canvas.drawRightString(right, foot, f"Page {book.page} of {book.total}")


def _policy(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, head, foot = _edges(book)
    canvas.drawString(left, head, book.source.head["document"])
    canvas.drawRightString(right, head, "UNCONTROLLED WHEN PRINTED")
    canvas.drawCentredString((left + right) / 2, foot, f"Page {book.page} of {book.total}")


def _guide(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, _, foot = _edges(book)
    if not first:
        canvas.drawCentredString((left + right) / 2, foot, f"\N{EN DASH} {book.page} \N{EN DASH}")


def _report(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, head, foot = _edges(book)
    if not first:
        canvas.drawString(left, head, book.source.head["title"])
        canvas.drawRightString(right, head, book.chapter)
    canvas.drawString(left, foot, book.source.head["affiliation"])
    canvas.drawRightString(right, foot, str(book.page))


def _scan(canvas: Canvas, book: Book, first: bool) -> None:
    left, right, head, _ = _edges(book)
    canvas.setFont("Courier", 10.5)
    canvas.drawCentredString((left + right) / 2, head, "" if first else f"- {book.page} -")


HEADS_AND_FEET: dict[str, Callable[[Canvas, Book, bool], None]] = {
    "paper": _paper,
    "manual": _book,
    "handbook": _book,
    "minutes": _minutes,
    "policy": _policy,
    "guide": _guide,
    "report": _report,
    "scan": _scan,
}

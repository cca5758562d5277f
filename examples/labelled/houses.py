"""How a document of each house looks: page, type, what stands in its margins and around its title. Some are held out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reportlab.lib.pagesizes import A4, A5, LETTER, legal

from examples.labelled.references import SEEN, UNSEEN, Style
from examples.labelled.words import Writer


@dataclass(frozen=True, slots=True)
class House:
    """`heads` and `feet` name the slots of running lines; `shares` say how often a kind of element comes."""

    name: str
    pages: tuple[tuple[float, float], ...] = (A4, LETTER)
    columns: tuple[int, ...] = (1,)
    bodies: tuple[str, ...] = ("Times-Roman", "Helvetica")
    sizes: tuple[float, float] = (9.0, 12.0)
    references: tuple[Style, ...] = SEEN
    with_references: float = 0.0
    heads: tuple[str, ...] = ()
    feet: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)


COMMON = {"prose": 10.0, "list": 1.0, "table": 0.8, "figure": 0.6}

TRAINING: tuple[House, ...] = (
    House(
        "two-column paper", columns=(2,), sizes=(8.5, 10.5), with_references=1.0, heads=("journal", "running", "number"),
        feet=("doi",), front=("authors", "institutes", "dates", "keywords", "licence"),
        shares={**COMMON, "equation": 1.2, "footnote": 0.4},
    ),
    House(
        "one-column paper", sizes=(10, 12), with_references=1.0, heads=("running",), feet=("citation", "number"),
        front=("authors", "institutes", "mails", "sidebar"), shares={**COMMON, "equation": 1.0, "code": 0.5, "footnote": 0.4},
    ),
    House("preprint", sizes=(10, 12), with_references=1.0, heads=("stamp",), feet=("number",),
          front=("authors", "institutes", "mails", "dates", "imprint-note"), shares={**COMMON, "equation": 2.0, "footnote": 0.5}),
    House("manual", bodies=("Helvetica",), sizes=(9, 11), heads=("title", "chapter"), feet=("company", "page-of", "confidential"), front=("particulars",),
          shares={**COMMON, "list": 3.0, "table": 1.5, "code": 0.6, "warning": 0.8}),
    House("report", sizes=(10, 12), with_references=0.4, heads=("title", "number"), feet=("company", "appendix-page"),
          front=("particulars", "disclaimer"), shares={**COMMON, "table": 1.6, "figure": 1.4, "footnote": 0.8}),
    House("book", pages=(A5, (400.0, 620.0)), bodies=("Times-Roman",), sizes=(9, 11), with_references=0.3, heads=("chapter",),
          feet=("number",), front=("imprint",), shares={"prose": 14.0, "footnote": 1.0, "quote": 0.8}),
    House("letter", sizes=(10, 12), heads=(), feet=("address",), front=("letterhead",), shares={"prose": 10.0, "list": 0.5}),
    House("minutes", sizes=(10, 11), heads=("title",), feet=("page-of",), front=("particulars",), shares={"prose": 6.0, "list": 3.0, "table": 1.0}),
    House("form and tables", bodies=("Helvetica",), sizes=(8, 10), heads=("title", "date"), feet=("barred", "source"), front=("particulars",),
          shares={"prose": 3.0, "table": 4.0, "figure": 1.0, "footnote": 0.8}),
    House("plain", sizes=(10, 12), shares={**COMMON, "quote": 0.5, "code": 0.5}, with_references=0.3),
)  # fmt: skip

HELD_OUT: tuple[House, ...] = (
    House("proceedings", columns=(2,), pages=(LETTER,), bodies=("Times-Roman",), sizes=(9, 10), references=UNSEEN,
          with_references=1.0, heads=("conference",), feet=("copyright", "number"),
          front=("authors", "institutes", "mails", "permission"), shares={**COMMON, "equation": 1.4, "footnote": 0.5}),
    House("bulletin", bodies=("Helvetica",), sizes=(9, 10.5), references=UNSEEN, with_references=0.7, heads=("number-title",),
          feet=("isbn",), front=("authors", "masthead", "imprint-note"), shares={**COMMON, "table": 1.2, "figure": 1.2, "footnote": 0.6}),
    House("field manual", pages=(legal, A5), bodies=("Helvetica", "Courier"), sizes=(9, 11), heads=("document-code",),
          feet=("chapter-page",), front=("notice",), shares={**COMMON, "list": 3.0, "table": 1.6, "warning": 1.0, "code": 0.4}),
    House("thesis", pages=(A4,), bodies=("Times-Roman",), sizes=(11, 12), references=UNSEEN, with_references=1.0,
          heads=("section-title",), feet=("roman",), front=("imprint",), shares={**COMMON, "equation": 1.2, "footnote": 1.0}),
)  # fmt: skip
"""Looks whose margins, front matter and manner of references no training page has."""


@dataclass(frozen=True, slots=True)
class Running:
    """What stays the same in the margins of a document."""

    writer: Writer
    title: str
    journal: str
    chapter: str
    company: str
    code: str
    year: int
    total: int


Slot = Callable[[Running, int], tuple[str, str]]
"""Text and label of a running line on a page."""


def _roman(number: int) -> str:
    text = ""
    for value, sign in ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")):
        while number >= value:
            text, number = text + sign, number - value
    return text


SLOTS: dict[str, Slot] = {
    "journal": lambda on, page: (f"{on.journal}, {on.code[-2:]} ({on.year})", "header"),
    "running": lambda on, page: (on.title[:50] if page % 2 else f"{on.writer.name().split()[-1]} et al.", "header"),
    "title": lambda on, page: (on.title[:60], "header"),
    "chapter": lambda on, page: (on.chapter.upper() if page % 2 else on.title[:40], "header"),
    "stamp": lambda on, page: (f"A PREPRINT - {on.year}" if page > 1 else f"arXiv:{on.code} [cs.XX] {on.year}", "header"),
    "date": lambda on, page: (f"{page % 28 + 1} March {on.year}", "header"),
    "conference": lambda on, page: (
        f"{on.journal.split()[-1]} ’{on.year % 100:02}, June 3–7, {on.year}, {on.company}",
        "header",
    ),
    "number-title": lambda on, page: (f"{page} | {on.title[:45]}", "header"),
    "document-code": lambda on, page: (f"Doc. {on.code} Rev. {on.year % 7} {on.chapter}", "header"),
    "section-title": lambda on, page: (f"{page % 5 + 1}.{page % 3 + 1} {on.chapter}", "header"),
    "number": lambda on, page: (str(page + int(on.code[-1]) * 10), "page_number"),
    "page-of": lambda on, page: (f"Page {page} of {on.total}", "page_number"),
    "appendix-page": lambda on, page: (f"{'A' if page % 2 else 'ES'}-{page}", "page_number"),
    "barred": lambda on, page: (f"| {page + 40} |", "page_number"),
    "roman": lambda on, page: (_roman(page) if page < 4 else f"– {page} –", "page_number"),
    "chapter-page": lambda on, page: (f"{on.code[-1]}-{page}", "page_number"),
    "doi": lambda on, page: (f"https://doi.org/10.{on.code[:4]}/{on.code[-3:]}", "footer"),
    "citation": lambda on, page: (f"{on.chapter} et al. ({on.year}). {on.title[:60]}. {on.journal}, {on.code[-2:]}", "footer"),
    "company": lambda on, page: (f"© {on.year} {on.company}", "footer"),
    "confidential": lambda on, page: (f"{on.company} confidential", "footer"),
    "address": lambda on, page: (
        f"{on.company} · Mill Lane {on.code[-2:]} · Tel. +44 20 {on.code[:4]} {on.code[-4:]}",
        "footer",
    ),
    "source": lambda on, page: (f"Source: {on.company}, {on.year}", "footer"),
    "copyright": lambda on, page: (f"Copyright {on.year} held by the authors. {on.journal}", "footer"),
    "isbn": lambda on, page: (f"{on.company} Bulletin {on.code[-2:]}, ISSN {on.code[:4]}-{on.code[-4:]}", "footer"),
}

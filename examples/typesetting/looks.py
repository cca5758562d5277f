"""How each kind of document looks: page, type, columns, and how its headings are numbered."""

from dataclasses import dataclass, replace

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY, TA_LEFT
from reportlab.lib.pagesizes import A4, A5
from reportlab.lib.styles import ParagraphStyle


@dataclass(frozen=True, slots=True)
class Look:
    """Lengths in points. `numbering` is one of none, decimal (1.1), clauses (paragraphs numbered too), meeting (204/1)."""

    page: tuple[float, float] = A4
    margin: float = 72
    columns: int = 1
    body: str = "Times-Roman"
    display: str = "Helvetica-Bold"
    size: float = 10.5
    leading: float = 14
    numbering: str = "none"
    accent: colors.Color = colors.black
    justified: bool = True
    hyphenated: bool = True
    ligatures: bool = False
    grid: bool = False
    contents: bool = False


PAPER = Look(margin=54, columns=2, size=10, leading=12.2, numbering="decimal", display="Times-Bold", ligatures=True)
BOOK = Look(
    body="Helvetica", size=9.6, leading=13.4, numbering="decimal", accent=colors.HexColor("#1f3b57"), justified=False, grid=True
)

LOOKS: dict[str, Look] = {
    "paper": PAPER,
    "manual": replace(BOOK, contents=True, hyphenated=False),
    "handbook": replace(BOOK, body="Times-Roman", size=11, leading=14.4, accent=colors.HexColor("#8a2b12"), hyphenated=False),
    "minutes": Look(numbering="meeting", display="Times-Bold", size=10.5, leading=13.5, justified=False, grid=True),
    "policy": Look(numbering="clauses", size=10.5, leading=14, margin=80),
    "guide": Look(page=A5, margin=42, size=9.4, leading=12.2, accent=colors.HexColor("#24593f")),
    "report": Look(margin=84, size=11, leading=15, display="Times-Bold", accent=colors.HexColor("#3c3c3c")),
    "scan": Look(body="Courier", display="Courier-Bold", size=11, leading=16, justified=False, hyphenated=False),
}


def styles(look: Look) -> dict[str, ParagraphStyle]:
    """The paragraph styles of a look, by the name of what they set."""
    body = ParagraphStyle(
        "body", fontName=look.body, fontSize=look.size, leading=look.leading, spaceAfter=look.leading * 0.5,
        alignment=TA_JUSTIFY if look.justified else TA_LEFT, hyphenationLang="en_GB" if look.hyphenated else None,
        hyphenationMinWordLength=7, allowWidows=0, allowOrphans=0,
    )  # fmt: skip
    small = ParagraphStyle("small", body, fontSize=look.size * 0.88, leading=look.leading * 0.86, spaceAfter=3)

    def head(name: str, scale: float, before: float) -> ParagraphStyle:
        return ParagraphStyle(
            name, fontName=look.display, fontSize=look.size * scale, leading=look.size * scale * 1.25, textColor=look.accent,
            spaceBefore=before, spaceAfter=look.leading * 0.4, keepWithNext=1,
        )  # fmt: skip

    centred = {"alignment": TA_CENTER}
    bullet = {"bulletFontName": look.body, "bulletFontSize": look.size * 0.9}
    return {
        "body": body,
        "title": ParagraphStyle("title", head("t", 1.75, 0), **(centred if look.columns == 2 else {})),
        "subtitle": ParagraphStyle("subtitle", body, fontSize=look.size * 1.25, leading=look.size * 1.6, alignment=TA_LEFT),
        "byline": ParagraphStyle("byline", body, **centred),
        "abstract": ParagraphStyle("abstract", small, leftIndent=30, rightIndent=30, spaceBefore=4),
        "h1": head("h1", 1.28, look.leading * 0.9),
        "h2": head("h2", 1.08, look.leading * 0.5),
        "item": ParagraphStyle("item", body, leftIndent=20, bulletIndent=4, spaceAfter=look.leading * 0.22, **bullet),
        "caption": ParagraphStyle("caption", small, spaceBefore=5, spaceAfter=4, alignment=TA_LEFT, hyphenationLang=None),
        "cell": ParagraphStyle("cell", small, spaceAfter=0, alignment=TA_LEFT, hyphenationLang=None),
        "reference": ParagraphStyle("reference", small, leftIndent=18, bulletIndent=0, alignment=TA_LEFT, **bullet),
        "formula": ParagraphStyle("formula", body, alignment=TA_CENTER, spaceBefore=2, hyphenationLang=None),
        "callout": ParagraphStyle("callout", body, alignment=TA_LEFT, spaceAfter=0, hyphenationLang=None),
    }

"""PDFs for the tests, made on the spot: typeset ones, and ones written by hand that no typesetter would make."""

import zlib
from collections.abc import Callable
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
PROSE = (
    "The tide gauge on the northern pier has been read each morning since the winter of 1931. "
    "Its float rises and falls in a well of cast iron, and a pen writes the level on a drum of paper. "
    "Nobody has found a better place for it in all these years, although three inquiries were held."
)


def typeset(path: Path, draw: Callable[[Canvas], None]) -> Path:
    """A PDF with always the same bytes."""
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    draw(canvas)
    canvas.save()
    return path


def flow(canvas: Canvas, text: str, x: float, y: float, width: float, size: float = 10, font: str = "Helvetica") -> float:
    """Sets a paragraph from `y` (from the bottom) downwards; returns where the next may begin."""
    canvas.setFont(font, size)
    for line in simpleSplit(text, font, size, width):
        canvas.drawString(x, y, line)
        y -= 1.2 * size
    return y - 0.8 * size


def heading(canvas: Canvas, text: str, x: float, y: float, size: float) -> float:
    canvas.setFont("Helvetica-Bold", size)
    canvas.drawString(x, y, text)
    return y - 1.8 * size


def paper(path: Path, pages: int = 3, pier: str = "northern", copies: int = 1) -> Path:
    """Two columns under a title, a running header, page numbers, a list and a table; so many copies of it in one file."""

    prose = PROSE.replace("northern", pier)

    def draw(canvas: Canvas) -> None:
        for number in list(range(1, pages + 1)) * copies:
            canvas.setFont("Helvetica", 8)
            canvas.drawString(60, HEIGHT - 40, "Proceedings of the Harbour Society")
            canvas.drawCentredString(WIDTH / 2, 30, str(number))
            top = HEIGHT - 80
            if number == 1:
                top = heading(canvas, "The Reading of Tides at a Northern Pier", 60, top, 20)
            for column, x in enumerate((60, 310)):
                y = heading(canvas, f"{2 * number - 1 + column} Section {'abcdef'[2 * (number - 1) + column]}", x, top, 13)
                y = flow(canvas, prose, x, y, 220)
                y = flow(canvas, prose.replace("1931", f"19{40 + number}{column}"[:4]), x, y, 220)
            if number == pages:
                _list_and_table(canvas, 330)
            canvas.showPage()

    return typeset(path, draw)


def _list_and_table(canvas: Canvas, y: float) -> None:
    canvas.setFont("Helvetica", 10)
    for item in ("• the float and its well", "• the drum with its paper", "• the pen"):
        canvas.drawString(310, y, item)
        y -= 12
    rows = [("Station", "Level", "Gap"), ("Long Pier", "7.38", "14"), ("Oran Ness", "6.91", "9"), ("Ferry Stage", "7.02", "2")]
    y -= 30
    for row in rows:
        for x, cell in zip((60, 260, 420), row, strict=True):
            canvas.drawString(x, y, cell)
        y -= 14


def blank(path: Path, pages: int = 1) -> Path:
    def draw(canvas: Canvas) -> None:
        for _ in range(pages):
            canvas.rect(100, 100, 200, 200, fill=1)
            canvas.showPage()

    return typeset(path, draw)


def encrypted(path: Path) -> Path:
    canvas = Canvas(str(path), pagesize=A4, encrypt=StandardEncryption("open sesame", strength=128))
    flow(canvas, PROSE, 60, 700, 400)
    canvas.save()
    return path


def by_hand(path: Path, content: bytes, *, page: str = "/MediaBox[0 0 612 792]", kids: str = "[3 0 R]/Count 1") -> Path:
    """One page with this content stream, in Helvetica as /F."""
    stream = zlib.compress(content)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids{kids}>>".encode(),
        f"<</Type/Page/Parent 2 0 R{page}/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>".encode(),
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    path.write_bytes(data + b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table) + trailer)
    return path

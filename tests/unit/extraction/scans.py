"""Scans for the tests: typeset pages turned into pictures, straight or not."""

from io import BytesIO
from pathlib import Path

import pypdfium2
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

DPI = 150
POINTS = 72 / DPI
PAPER = 238


def scan(typeset: Path, target: Path, degrees: float = 0.0) -> Path:
    """Pictures of a PDF's pages, turned anticlockwise, and no text layer."""
    canvas = Canvas(str(target), invariant=1)
    with pypdfium2.PdfDocument(typeset) as document:
        for page in document:
            picture = page.render(scale=1 / POINTS, grayscale=True).to_pil()
            put_picture(canvas, picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=PAPER))
    canvas.save()
    return target


def put_picture(canvas: Canvas, picture: Image.Image) -> None:
    """A page that is one picture."""
    width, height = picture.width * POINTS, picture.height * POINTS
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=60)
    jpeg.seek(0)
    canvas.setPageSize((width, height))
    canvas.drawImage(ImageReader(jpeg), 0, 0, width, height)
    canvas.showPage()

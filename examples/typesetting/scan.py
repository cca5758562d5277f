"""Makes a scan of typeset pages: pictures with a slight skew and noise, and no text layer."""

import random
from io import BytesIO
from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops, ImageFilter
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

DPI = 150
POINTS_PER_INCH = 72
PAPER_GREY = 236
JPEG_QUALITY = 35


def write_scan(typeset: Path, target: Path, seed: int) -> None:
    """Photograph each page of `typeset` into `target`. The same seed gives the same pictures."""
    luck = random.Random(seed)
    canvas = Canvas(str(target), invariant=1)
    canvas.setCreator("Lectern examples, scanned")
    with pypdfium2.PdfDocument(typeset) as document:
        for page in document:
            width, height = page.get_size()
            picture = page.render(scale=DPI / POINTS_PER_INCH, grayscale=True).to_pil()
            canvas.setPageSize((width, height))
            canvas.drawImage(ImageReader(_jpeg(_photograph(picture, luck))), 0, 0, width, height)
            canvas.showPage()
    canvas.save()


def _photograph(page: Image.Image, luck: random.Random) -> Image.Image:
    """Yellowed paper, a soft lens, up to 1.2 degrees of skew, and grain."""
    paper = ImageChops.multiply(page.convert("L"), Image.new("L", page.size, PAPER_GREY))
    skewed = paper.rotate(luck.uniform(-1.2, 1.2), Image.Resampling.BICUBIC, fillcolor=PAPER_GREY)
    soft = skewed.filter(ImageFilter.GaussianBlur(0.55))
    return ImageChops.add(soft, _grain(page.size, luck), scale=1, offset=-7)


def _grain(size: tuple[int, int], luck: random.Random) -> Image.Image:
    """Brightness noise of 0 to 14 levels, at half the resolution of the page, so that it looks like paper and not like dust."""
    width, height = (size[0] + 1) // 2, (size[1] + 1) // 2
    noise = Image.frombytes("L", (width, height), luck.randbytes(width * height))
    return noise.point([level * 14 // 255 for level in range(256)]).resize(size, Image.Resampling.BILINEAR)


def _jpeg(picture: Image.Image) -> BytesIO:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    buffer.seek(0)
    return buffer

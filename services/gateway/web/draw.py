"""`python -m services.gateway.web.draw FILE PAGE PIXELS`: one page of a PDF as a WebP picture on standard output.

A PDF is hostile, so it is opened in this process alone: with bounds on memory and time, without a network, and gone after.
"""

import io
import os
import sys

import pypdfium2
from PIL import Image  # noqa: F401 - loaded before the bounds are set: a bitmap becomes one of its images

from shared.confinement import deny_network, end_with_parent, limit

MEMORY_BYTES = 1 << 30
SECONDS = 20
QUALITY = 80


def draw(path: str, page: int, pixels: int) -> bytes:
    """The page, `pixels` wide or as near to it as its shape allows."""
    document = pypdfium2.PdfDocument(path)
    leaf = document[page - 1]
    width, height = leaf.get_size()
    scale = min(pixels / width, 2.5 * pixels / height)
    picture = leaf.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
    written = io.BytesIO()
    picture.save(written, "WEBP", quality=QUALITY, method=2)
    return written.getvalue()


if __name__ == "__main__":
    end_with_parent()
    deny_network()
    limit(MEMORY_BYTES, SECONDS)
    os.nice(5)
    sys.stdout.buffer.write(draw(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

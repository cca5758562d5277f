"""The OCR engine: the `tesseract` command (Apache-2.0), one process a page, its words with boxes and confidences."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from services.extraction.stages.hocr import OcrLine, parse_hocr
from shared.confinement import end_with_parent

if TYPE_CHECKING:
    from PIL import Image

COMMAND = "tesseract"
INSTALL = "Install Tesseract (on Debian and Ubuntu: apt-get install tesseract-ocr)"
MAX_OUTPUT_CHARACTERS = 50_000_000


class OcrFailed(Exception):
    """The engine gave no result for a page; the message says why."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The command at `path`, which knows `languages`."""

    path: str
    languages: frozenset[str]

    def missing(self, wanted: tuple[str, ...]) -> str | None:
        """What to do where a language is not installed, or None."""
        absent = sorted(set(wanted) - self.languages)
        if not absent:
            return None
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-').lower()}" for name in absent)
        return f"Install Tesseract's data for {', '.join(absent)} (on Debian and Ubuntu: apt-get install {packages})"

    def read(self, picture: "Image.Image", dpi: float, languages: tuple[str, ...], seconds: float) -> tuple[OcrLine, ...]:
        """The lines of a picture of a page. Raises OcrFailed."""
        data = BytesIO()
        picture.save(data, "PPM")
        command = [self.path, "-", "-", "--dpi", str(round(dpi)), "-l", "+".join(languages), "--psm", "3", "hocr"]
        try:
            done = subprocess.run(
                command, input=data.getvalue(), capture_output=True, timeout=seconds, check=False,
                env=_one_thread(), preexec_fn=end_with_parent,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise OcrFailed(f"Tesseract took longer than {seconds:.0f} s") from error
        except OSError as error:
            raise OcrFailed(f"Tesseract cannot be started: {error}") from error
        if done.returncode != 0:
            raise OcrFailed(f"Tesseract ended with code {done.returncode}")
        return parse_hocr(done.stdout.decode("utf-8", "replace")[:MAX_OUTPUT_CHARACTERS])


def find_tesseract() -> Tesseract | None:
    """Tesseract as it is installed, or None."""
    path = shutil.which(COMMAND)
    if path is None:
        return None
    try:
        listed = subprocess.run([path, "--list-langs"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = listed.stdout.decode("utf-8", "replace").splitlines()[1:]
    return Tesseract(path, frozenset(name.strip() for name in names if name.strip() and name.strip() != "osd"))


def _one_thread() -> dict[str, str]:
    """Threads of one page wait for each other more than they gain; pages are read side by side instead."""
    return {**os.environ, "OMP_THREAD_LIMIT": "1"}  # noqa: TID251 - handed on, not read

"""The second reading of a document: pages whose pictures were put aside are transcribed in batches by a model.

It runs in the worker, which holds the model from one document to the next; what fails goes back to the other engines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from services.extraction.adapters.reader import PENDING
from services.extraction.stages.routing import NOUGAT
from services.extraction.stages.transcript import page_of
from shared.contracts.documents import Page

BATCH_PAGES = 16
"""Pages between two looks at whether the work was called off."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a model read on a picture, how sure it is from 0 to 1, and why it is not to be trusted, if so."""

    text: str
    confidence: float
    fault: str | None = None


class Transcriber(Protocol):
    """What is asked of a model."""

    def read(self, pictures: Sequence[Path]) -> list[Transcript]:
        """A transcript a picture, in order."""


def transcribe(model: Transcriber, pages: Iterable[Page], scratch: Path, check: Callable[[], None]) -> dict[int, str]:
    """Reads the pages that wait for it; each is left in `scratch`. Returns those that failed, and why."""
    failed: dict[int, str] = {}
    waiting = (page for page in pages if page.failure == PENDING)
    while batch := list(islice(waiting, BATCH_PAGES)):
        check()
        pictures = [_picture(scratch, page) for page in batch]
        for page, picture, transcript in zip(batch, pictures, model.read(pictures), strict=True):
            picture.unlink(missing_ok=True)
            if transcript.fault is not None:
                failed[page.number] = transcript.fault
                continue
            _leave(scratch, page, transcript)
    return failed


def with_transcripts(pages: Iterable[Page], scratch: Path) -> Iterator[Page]:
    """All pages, those that waited replaced by what was left for them."""
    for page in pages:
        yield Page.model_validate_json(_place(scratch, page.number).read_bytes()) if page.failure == PENDING else page


def leave(scratch: Path, page: Page) -> None:
    """Put a page where one waits for a transcript."""
    _place(scratch, page.number).write_text(page.model_dump_json(), encoding="utf-8")


def _leave(scratch: Path, page: Page, transcript: Transcript) -> None:
    made = page_of(page.number, transcript.text, page.width, page.height, NOUGAT, transcript.confidence, page.why)
    leave(scratch, made)


def _place(scratch: Path, number: int) -> Path:
    return scratch / f"transcript-{number}.json"


def _picture(scratch: Path, page: Page) -> Path:
    return scratch / f"picture-{page.number}.png"

"""Extraction without a server, on a file or a folder: what the `lectern extract` command calls."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from services.extraction.adapters.isolated import IsolatedExtractor
from services.extraction.adapters.plain_text import plain_texts, write_plain_text
from services.extraction.adapters.reader import MMD, PAGES, extract_to
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected


@dataclass(frozen=True, slots=True)
class Extracted:
    """The MMD of a document and its page map, as JSON lines of `Page`."""

    mmd: str
    pages: str
    result: ExtractionResult


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file of a batch."""

    source: Path
    outcome: ExtractionResult | Rejected


def extract_file(path: Path, parameters: ExtractionParameters | None = None) -> Extracted | Rejected:
    """One PDF, read in this very process: quick to start, and no limit but `max_pages`."""
    with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
        out = Path(scratch)
        result = extract_to(path, out, parameters or ExtractionParameters(), lambda done, total: None)
        if isinstance(result, Rejected):
            return result
        mmd, pages = (out / MMD).read_text(encoding="utf-8"), (out / PAGES).read_text(encoding="utf-8")
        return Extracted(mmd=mmd, pages=pages, result=result)


def extract_folder(
    folder: Path,
    out: Path,
    parameters: ExtractionParameters | None = None,
    jobs: int = 1,
) -> Iterator[FileOutcome]:
    """Every PDF of a folder, `jobs` at a time in children of their own; writes `STEM.mmd` and `STEM.pages.jsonl` into `out`.

    Yields outcomes as they come.
    """
    wanted = parameters or ExtractionParameters()
    sources = iter(sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf" and path.is_file()))
    out.mkdir(parents=True, exist_ok=True)
    reader = IsolatedExtractor()
    with ThreadPoolExecutor(jobs) as threads:
        running: set[Future[FileOutcome]] = set()
        while True:
            for source in islice(sources, 2 * jobs - len(running)):
                running.add(threads.submit(_one, reader, source, out, wanted))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda one: one.result().source):
                yield future.result()


def _one(reader: IsolatedExtractor, source: Path, out: Path, parameters: ExtractionParameters) -> FileOutcome:
    with tempfile.TemporaryDirectory(prefix=".lectern-extract-", dir=out) as scratch:
        made = Path(scratch)
        result = reader.extract(source, made, parameters, lambda done, total: None)
        if not isinstance(result, Rejected):
            (made / MMD).replace(out / f"{source.stem}.mmd")
            (made / PAGES).replace(out / f"{source.stem}.pages.jsonl")
        return FileOutcome(source=source, outcome=result)


def text_of_file(path: Path, parameters: ExtractionParameters | None = None) -> str | Rejected:
    """The plain text of one PDF, read in this very process, with form feeds between pages."""
    with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
        target = Path(scratch) / "plain.txt"
        outcome = write_plain_text(path, target, parameters or ExtractionParameters())
        return outcome if isinstance(outcome, Rejected) else target.read_text(encoding="utf-8")


def text_of_folder(
    folder: Path, out: Path, parameters: ExtractionParameters | None = None, jobs: int = 1
) -> Iterator[FileOutcome]:
    """The plain text of every PDF of a folder as `STEM.txt` in `out`, by `jobs` children that each read file after file."""
    sources = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf" and path.is_file())
    out.mkdir(parents=True, exist_ok=True)
    wanted = parameters or ExtractionParameters()

    def share(index: int) -> list[FileOutcome]:
        return [FileOutcome(source, outcome) for source, outcome in plain_texts(sources[index::jobs], out, wanted)]

    if jobs == 1:
        for source, outcome in plain_texts(sources, out, wanted):
            yield FileOutcome(source, outcome)
        return
    with ThreadPoolExecutor(jobs) as threads:
        for found in threads.map(share, range(jobs)):
            yield from found

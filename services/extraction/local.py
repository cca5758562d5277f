"""Extraction without a server, on a file or a folder: what the `lectern extract` command calls."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from services.extraction.adapters.confined import children
from services.extraction.adapters.plain_text import plain_text, write_plain_text
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
    from services.extraction.adapters.reader import MMD, PAGES, extract_to  # noqa: PLC0415 - plain text needs no layout

    with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
        out = Path(scratch)
        result = extract_to(path, out, parameters or ExtractionParameters(), lambda done, total: None)
        if isinstance(result, Rejected):
            return result
        mmd, pages = (out / MMD).read_text(encoding="utf-8"), (out / PAGES).read_text(encoding="utf-8")
        return Extracted(mmd=mmd, pages=pages, result=result)


def text_of_file(path: Path, parameters: ExtractionParameters | None = None) -> str | Rejected:
    """The plain text of one PDF, read in this very process, with form feeds between pages."""
    with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
        target = Path(scratch) / "plain.txt"
        outcome = write_plain_text(path, target, parameters or ExtractionParameters())
        return outcome if isinstance(outcome, Rejected) else target.read_text(encoding="utf-8")


def extract_folder(
    folder: Path,
    out: Path,
    parameters: ExtractionParameters | None = None,
    jobs: int = 1,
) -> Iterator[FileOutcome]:
    """Every PDF of a folder, `jobs` at a time in children of their own; writes `STEM.mmd` and `STEM.pages.jsonl` into `out`.

    Yields outcomes as they come.
    """
    from services.extraction.adapters.isolated import IsolatedExtractor  # noqa: PLC0415 - plain text needs no layout
    from services.extraction.adapters.reader import MMD, PAGES  # noqa: PLC0415

    reader, wanted = IsolatedExtractor(alone=jobs == 1), parameters or ExtractionParameters()

    def read(source: Path) -> FileOutcome:
        with tempfile.TemporaryDirectory(prefix=".lectern-extract-", dir=out) as scratch:
            made = Path(scratch)
            result = reader.extract(source, made, wanted, lambda done, total: None)
            if not isinstance(result, Rejected):
                (made / MMD).replace(out / f"{source.stem}.mmd")
                (made / PAGES).replace(out / f"{source.stem}.pages.jsonl")
            return FileOutcome(source=source, outcome=result)

    return _each(folder, out, read, jobs)


def text_of_folder(
    folder: Path, out: Path, parameters: ExtractionParameters | None = None, jobs: int = 1
) -> Iterator[FileOutcome]:
    """The plain text of every PDF of a folder as `STEM.txt` in `out`, read by `jobs` children at a time."""
    context, wanted = children(jobs == 1, ("services.extraction.adapters.plain_text",)), parameters or ExtractionParameters()

    def read(source: Path) -> FileOutcome:
        return FileOutcome(source, plain_text(context, source, out, wanted))

    return _each(folder, out, read, jobs)


def _each(folder: Path, out: Path, read: Callable[[Path], FileOutcome], jobs: int) -> Iterator[FileOutcome]:
    """One at a time in this thread, or `jobs` at a time in threads, each of which waits for a child."""
    sources = iter(sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf" and path.is_file()))
    out.mkdir(parents=True, exist_ok=True)
    if jobs == 1:
        yield from map(read, sources)
        return
    with ThreadPoolExecutor(jobs) as threads:
        running: set[Future[FileOutcome]] = set()
        while True:
            for source in islice(sources, 2 * jobs - len(running)):
                running.add(threads.submit(read, source))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda one: one.result().source):
                yield future.result()

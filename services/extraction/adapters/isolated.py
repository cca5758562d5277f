"""Reads hostile PDFs in child processes with limits on time and memory: a page that ends its process costs that page.

A document is parted into ranges of pages, each read by a child of its own. A child appends pages to its range's file; when
it dies, the next one goes on after the page that it died at.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from services.extraction.adapters.children import POLL_SECONDS, Death, run_child
from services.extraction.adapters.confined import children
from services.extraction.adapters.reader import (
    PENDING,
    SURVEY,
    PageRange,
    Progress,
    assemble,
    check_engine,
    count_pages,
    kept_pages,
    load_survey,
    range_file,
)
from services.extraction.adapters.transcription import Transcriber, leave, transcribe, with_transcripts
from services.extraction.stages.routing import NOUGAT
from shared.contracts.documents import ExtractionParameters, ExtractionResult, Page
from shared.contracts.work import Rejected

PRELOADED = (__name__, "services.extraction.adapters.ocr")

MAX_DEATHS = 10
"""A document that ended so many processes is given up."""


class Called(Exception):
    """The reading was given up by another of its threads."""


@dataclass(slots=True)
class Reading:
    """One document being read: what its threads share."""

    source: Path
    scratch: Path
    parameters: ExtractionParameters
    nougat: bool
    deadline: float
    total: int = 1
    done: dict[int, int] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    stopped: bool = False

    def range(self, first: int, deadly: dict[int, str]) -> PageRange:
        return PageRange(
            source=str(self.source), scratch=str(self.scratch), first=first, deadly=deadly, nougat=self.nougat,
            last=first + self.parameters.pages_per_range - 1, parameters=self.parameters,
        )  # fmt: skip


class RangeKeeper:
    """Where ranges that were read are kept beyond the life of a worker. This one keeps none."""

    def keep(self, file: Path) -> None:
        """Keep a file of the scratch directory by its name."""

    def recall(self, file: Path) -> bool:
        """Bring a file back that was kept by an earlier worker; False where there is none."""
        return False


class IsolatedExtractor:
    """Reads each range of pages in a process of its own, forked from one that has loaded the parsers and nothing else.

    `alone`: from this very process, which then must run no other thread; and one range is read at a time.
    """

    def __init__(self, processes: int = 1, model: Transcriber | None = None, alone: bool = False) -> None:
        self._processes = processes
        self._model = model
        self._alone = alone
        self._context = children(alone, PRELOADED)

    def extract(
        self, source: Path, out: Path, parameters: ExtractionParameters, progress: Progress, keeper: RangeKeeper | None = None
    ) -> ExtractionResult | Rejected:
        """Like `extract_to`, with a refusal where the document passes a limit. Threads may share an extractor.

        What `progress` raises ends the children and is raised here. It is called ten times a second, whether or not
        another page is done, so that work that was called off does not wait for a slow page. Raises Unsupported.
        """
        check_engine(parameters, nougat=self._model is not None)
        with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
            deadline = time.monotonic() + parameters.seconds_per_document
            reading = Reading(source, Path(scratch), parameters, self._model is not None, deadline)
            progress(0, 1)
            refused = self._read(reading, progress, keeper or RangeKeeper())
            if refused is not None:
                return refused
            files = [range_file(reading.scratch, first) for first in _firsts(reading)]
            if self._model is not None:
                self._transcribe(self._model, reading, files, progress)
            result = assemble(with_transcripts(kept_pages(files), reading.scratch), load_survey(reading.scratch), out)
            progress(reading.total, reading.total)
            return reading.deaths[-1].refusal if isinstance(result, Rejected) and reading.deaths else result

    def _transcribe(self, model: Transcriber, reading: Reading, files: list[Path], progress: Progress) -> None:
        """The second reading, by the model; and a third by the other engines of the pages that it fails at."""

        def check() -> None:
            progress(max(0, reading.total - 1), reading.total)

        failed = transcribe(model, kept_pages(files), reading.scratch, check)
        for number, fault in failed.items():
            leave(reading.scratch, self._page_without_model(reading, number, fault, check))

    def _page_without_model(self, reading: Reading, number: int, fault: str, check: Callable[[], None]) -> Page:
        again = reading.scratch / f"again-{number}"
        again.mkdir()
        (again / SURVEY).write_bytes((reading.scratch / SURVEY).read_bytes())
        parameters = reading.parameters.model_copy(update={"engine": "auto", "pages_per_range": 1})
        alone = Reading(reading.source, again, parameters, nougat=False, deadline=reading.deadline)
        refused = self._read_range(alone, number, check, RangeKeeper())
        pages = [] if refused is not None else list(kept_pages([range_file(again, number)]))
        if refused is not None or not pages:
            return Page(number=number, engine=NOUGAT, failure=fault if refused is None else refused.detail)
        return pages[0].model_copy(update={"why": f"{fault}; {pages[0].why}"})

    def _read(self, reading: Reading, progress: Progress, keeper: RangeKeeper) -> Rejected | None:
        """Every range: the first one alone, since it surveys the document, the others side by side."""

        def tell() -> None:
            progress(min(reading.total, sum(reading.done.values())), reading.total)

        keeper.recall(reading.scratch / SURVEY)
        refused = self._read_range(reading, 1, tell, keeper)
        if refused is not None:
            return refused
        rest = _firsts(reading)[1:]
        if not rest:
            return None
        keeper.keep(reading.scratch / SURVEY)
        _keep(keeper, range_file(reading.scratch, 1))
        if self._alone:
            return next((no for first in rest if (no := self._read_range(reading, first, tell, keeper)) is not None), None)
        return self._read_rest(reading, rest, tell, keeper)

    def _read_rest(self, reading: Reading, rest: list[int], tell: Callable[[], None], keeper: RangeKeeper) -> Rejected | None:
        def check() -> None:
            if reading.stopped:
                raise Called

        with ThreadPoolExecutor(self._processes) as threads:
            futures = [threads.submit(self._read_range, reading, first, check, keeper) for first in rest]
            try:
                while waiting := wait(futures, timeout=POLL_SECONDS).not_done:
                    tell()
                    if any(one.done() and (one.exception() or one.result()) for one in set(futures) - waiting):
                        break
            finally:
                reading.stopped = True
        refusals = [one.result() for one in futures if not isinstance(one.exception(), Called)]
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _read_range(self, reading: Reading, first: int, check: Callable[[], None], keeper: RangeKeeper) -> Rejected | None:
        work = reading.range(first, {})
        if keeper.recall(work.file) and (reading.scratch / SURVEY).exists():
            reading.total = load_survey(reading.scratch).pages
            reading.done[first] = count_pages(work.file)
            return None
        while True:
            check()
            ended = self._run(reading, work, check)
            if not isinstance(ended, Death):
                if ended is None and first > 1:
                    _keep(keeper, work.file)
                return ended
            reading.deaths.append(ended)
            if ended.page == 0 or len(reading.deaths) >= MAX_DEATHS or time.monotonic() > reading.deadline:
                return ended.refusal
            work = reading.range(first, {**work.deadly, ended.page: ended.failure})

    def _run(self, reading: Reading, work: PageRange, check: Callable[[], None]) -> Rejected | Death | None:
        def watcher(done: int, total: int) -> None:
            reading.done[work.first] = max(done, reading.done.get(work.first, 0))
            reading.total = max(reading.total, total)
            check()

        return run_child(self._context, work, reading.deadline, watcher)


def _keep(keeper: RangeKeeper, file: Path) -> None:
    """A range with pages that wait for a model is not done: their pictures are here only."""
    with file.open("rb") as lines:
        waiting = any(PENDING.encode() in line for line in lines)
    if not waiting:
        keeper.keep(file)


def _firsts(reading: Reading) -> list[int]:
    return list(range(1, reading.total + 1, reading.parameters.pages_per_range))

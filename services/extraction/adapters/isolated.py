"""Parses hostile PDFs in a child process with limits on time and memory, so that a document costs no more than itself."""

import multiprocessing
import os
import resource
import select
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from types import ModuleType

from pebble import ProcessExpired, ProcessFuture
from pebble.concurrent import process

from services.extraction.adapters.reader import Progress, extract_to
from shared.contracts.documents import ExtractionParameters, ExtractionResult
from shared.contracts.work import Rejected

POLL_SECONDS = 0.1
PROGRESS_BYTES = 24
_STARTING = Lock()

OUT_OF_MEMORY_SIGNALS = (signal.SIGTRAP, signal.SIGILL, signal.SIGABRT)
"""How PDFium ends a process that it can get no memory for."""


class IsolatedExtractor:
    """Reads each document in a process of its own, forked from one that has loaded the parser and nothing else."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def extract(
        self, source: Path, out: Path, parameters: ExtractionParameters, progress: Progress
    ) -> ExtractionResult | Rejected:
        """Like `extract_to`, with a refusal where the parser crashes or passes a limit. Threads may share an extractor.

        What `progress` raises ends the child and is raised here. It is called ten times a second, whether or not another
        page is done, so that work that was called off does not wait for a slow page.
        """
        with tempfile.TemporaryDirectory(prefix="lectern-extract-") as scratch:
            ticks = Path(scratch) / "progress"
            ticks.write_bytes(_progress(0, 1))
            start = process(context=self._context, timeout=float(parameters.seconds_per_document))(_extract_in_child)
            with _nothing_of_ours():
                future = start(os.getpid(), str(source), str(out), parameters.model_dump_json(), str(ticks))
            try:
                _watch(future, ticks, progress)
            except BaseException:
                future.cancel()
                raise
            return _outcome(future, parameters)


@contextmanager
def _nothing_of_ours() -> Iterator[None]:
    """Hides the program that runs: a child would load it for the names of `__main__`, and needs none of them."""
    with _STARTING:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _watch(future: ProcessFuture[str], ticks: Path, progress: Progress) -> None:
    progress(0, 1)
    done = False
    while not done:
        done = future in wait([future], timeout=POLL_SECONDS).done
        progress(*_read_progress(ticks))


def _read_progress(ticks: Path) -> tuple[int, int]:
    done, total = ticks.read_bytes().split()
    return int(done), int(total)


def _outcome(future: ProcessFuture[str], parameters: ExtractionParameters) -> ExtractionResult | Rejected:
    try:
        kind, _, text = future.result().partition(":")
    except TimeoutError:
        return _too_slow(parameters.seconds_per_document)
    except MemoryError:
        return _too_big(parameters.memory_bytes)
    except (ProcessExpired, CancelledError) as error:
        return _crashed(getattr(error, "exitcode", 0), parameters)
    return Rejected.model_validate_json(text) if kind == "rejected" else ExtractionResult.model_validate_json(text)


def _too_slow(seconds: int) -> Rejected:
    detail = f"The PDF was not read within {seconds} s. Split it, or raise `seconds_per_document` of the collection."
    return Rejected(reason="too-slow", detail=detail)


def _too_big(memory_bytes: int) -> Rejected:
    detail = f"Reading the PDF needs more than {memory_bytes >> 20} MiB. Split it, or raise `memory_bytes` of the collection."
    return Rejected(reason="too-big", detail=detail)


def _crashed(code: int, parameters: ExtractionParameters) -> Rejected:
    if -code in OUT_OF_MEMORY_SIGNALS:
        return _too_big(parameters.memory_bytes)
    if -code == signal.SIGXCPU:
        return _too_slow(parameters.seconds_per_document)
    detail = f"The parser ended with code {code} while reading the PDF: it is damaged or hostile."
    return Rejected(reason="parser-crashed", detail=f"{detail} Export it again, or print it to a new PDF.")


def _end_with(worker: int) -> None:
    """A killed worker leaves no parser behind (Linux; elsewhere the limit on processor time ends it)."""
    if not hasattr(os, "pidfd_open"):
        return
    file = os.pidfd_open(worker)

    def watch() -> None:
        select.select([file], [], [])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _extract_in_child(worker: int, source: str, out: str, parameters_json: str, ticks: str) -> str:
    """Runs in the child. Answers in JSON, so that nothing but text comes back."""
    _end_with(worker)
    parameters = ExtractionParameters.model_validate_json(parameters_json)
    _limit(parameters)
    file = os.open(ticks, os.O_WRONLY)
    try:
        result = extract_to(Path(source), Path(out), parameters, _teller(file))
    finally:
        os.close(file)
    return f"{'rejected' if isinstance(result, Rejected) else 'result'}:{result.model_dump_json()}"


def _teller(file: int) -> Progress:
    def tell(done: int, total: int) -> None:
        os.pwrite(file, _progress(done, total), 0)

    return tell


def _progress(done: int, total: int) -> bytes:
    """Always as long, so that one write replaces all of what was said before."""
    return f"{done} {total}".ljust(PROGRESS_BYTES).encode()


def _limit(parameters: ExtractionParameters) -> None:
    """Address space, and processor time as a backstop where the parent cannot keep the time."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_within(parameters.memory_bytes, hard), hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + parameters.seconds_per_document + 10
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_within(seconds, hard), hard))


def _within(soft: int, hard: int) -> int:
    return soft if hard == resource.RLIM_INFINITY else min(soft, hard)

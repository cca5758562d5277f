"""One child process that reads a range of pages: started, watched, and its end understood."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Lock
from types import ModuleType

from pebble import ProcessExpired, ProcessFuture
from pebble.concurrent import process

from services.extraction.adapters.reader import PageRange, read_range
from shared.confinement import deny_network, end_with, limit
from shared.contracts.documents import ExtractionParameters
from shared.contracts.work import Rejected
from shared.errors import LecternError

POLL_SECONDS = 0.1
TICK_BYTES = 36
OUT_OF_MEMORY_SIGNALS = (signal.SIGTRAP, signal.SIGILL, signal.SIGABRT)
"""How PDFium ends a process that it can get no memory for."""

_STARTING = Lock()

Watcher = Callable[[int, int], None]
"""Told ten times a second how many pages of the range are done and how many the document has. What it raises ends the child."""


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a child: at which page (0: at none), and the refusal that it would be for a whole document."""

    page: int
    refusal: Rejected

    @property
    def failure(self) -> str:
        return f"{self.refusal.reason}: {self.refusal.detail}"


def run_child(context: BaseContext, work: PageRange, deadline: float, watcher: Watcher) -> Rejected | Death | None:
    """Reads a range in a process of its own: None where it came to its end."""
    ticks = work.file.with_suffix(".tick")
    ticks.write_bytes(_tick(0, 0, 1))
    start = process(context=context, timeout=max(0.1, deadline - time.monotonic()))(_read_in_child)
    with _nothing_of_ours():
        future = start(os.getpid(), work.model_dump_json(), str(ticks))
    try:
        stuck = _watch(future, ticks, work.parameters.seconds_per_page, watcher)
    except BaseException:
        future.cancel()
        raise
    page, _, _ = _read_tick(ticks)
    if stuck:
        return Death(page, _page_too_slow(work.parameters.seconds_per_page))
    return _outcome(future, page, work.parameters)


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


def _watch(future: ProcessFuture[str], ticks: Path, seconds_per_page: int, watcher: Watcher) -> bool:
    """Until the child ends; True where it was ended because it stayed at one page for too long."""
    last, since = (0, 0, 1), time.monotonic()
    while True:
        ended = future in wait([future], timeout=POLL_SECONDS).done
        now = _read_tick(ticks)
        if now != last:
            last, since = now, time.monotonic()
        page, done, total = now
        watcher(done, total)
        if ended:
            return False
        if page and time.monotonic() - since > seconds_per_page:
            future.cancel()
            return True


def _outcome(future: ProcessFuture[str], page: int, parameters: ExtractionParameters) -> Rejected | Death | None:
    try:
        answer = future.result()
    except TimeoutError:
        return _too_slow(parameters.seconds_per_document)
    except MemoryError:
        return Death(page, _too_big(parameters.memory_bytes))
    except (ProcessExpired, CancelledError) as error:
        return Death(page, _crashed(getattr(error, "exitcode", 0), parameters))
    except LecternError:
        raise
    except Exception as error:
        return Death(page, _confused(error))
    return Rejected.model_validate_json(answer) if answer else None


def _too_slow(seconds: int) -> Rejected:
    detail = f"The PDF was not read within {seconds} s. Split it, or raise `seconds_per_document` of the collection."
    return Rejected(reason="too-slow", detail=detail)


def _page_too_slow(seconds: int) -> Rejected:
    detail = f"A page was not read within {seconds} s. Raise `seconds_per_page` of the collection."
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


def _confused(error: Exception) -> Rejected:
    """What a reader of ours makes of a document that it did not foresee: the name tells which part it was."""
    detail = f"Reading the PDF failed ({type(error).__name__}): it is built in a way that is not understood."
    return Rejected(reason="parser-crashed", detail=f"{detail} Print it to a new PDF, and please report it.")


def _read_in_child(worker: int, work_json: str, ticks: str) -> str:
    """Runs in the child. Answers in JSON, so that nothing but text comes back: a refusal, or nothing."""
    end_with(worker)
    work = PageRange.model_validate_json(work_json)
    deny_network()
    limit(work.parameters.memory_bytes, work.parameters.seconds_per_document)
    file = os.open(ticks, os.O_WRONLY)
    try:
        refused = read_range(work, lambda page, done, total: _write_tick(file, page, done, total))
    finally:
        os.close(file)
    return refused.model_dump_json() if refused is not None else ""


def _write_tick(file: int, page: int, done: int, total: int) -> None:
    os.pwrite(file, _tick(page, done, total), 0)


def _tick(page: int, done: int, total: int) -> bytes:
    """Always as long, so that one write replaces all of what was said before."""
    return f"{page} {done} {total}".ljust(TICK_BYTES).encode()


def _read_tick(ticks: Path) -> tuple[int, int, int]:
    page, done, total = ticks.read_bytes().split()
    return int(page), int(done), int(total)

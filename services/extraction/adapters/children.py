"""One child process that reads a range of pages: started, watched, and its end understood."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path

from services.extraction.adapters.confined import Child, Ended, Limits
from services.extraction.adapters.reader import PageRange, read_range
from shared.contracts.documents import ExtractionParameters
from shared.contracts.work import Rejected

POLL_SECONDS = 0.1
TICK_BYTES = 36
OUT_OF_MEMORY_SIGNALS = (signal.SIGTRAP, signal.SIGILL, signal.SIGABRT)
"""How PDFium ends a process that it can get no memory for."""

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
    wanted = work.parameters
    limits = Limits(wanted.memory_bytes, wanted.seconds_per_document)
    with Child(context, limits, _read_in_child, work.model_dump_json(), str(ticks)) as child:
        too_late = _watch(child, ticks, wanted, deadline, watcher)
        return too_late or _outcome(child.ended(), _read_tick(ticks)[0], wanted)


def _watch(
    child: Child, ticks: Path, wanted: ExtractionParameters, deadline: float, watcher: Watcher
) -> Rejected | Death | None:
    """Until the child ends; or the reason to end it: it stays at one page for too long, or its time is over."""
    last, since = (0, 0, 1), time.monotonic()
    while True:
        ended = child.has_ended(POLL_SECONDS)
        now = _read_tick(ticks)
        if now != last:
            last, since = now, time.monotonic()
        page, done, total = now
        watcher(done, total)
        if ended:
            return None
        if page and time.monotonic() - since > wanted.seconds_per_page:
            return Death(page, _page_too_slow(wanted.seconds_per_page))
        if time.monotonic() > deadline:
            return _too_slow(wanted.seconds_per_document)


def _outcome(ended: Ended, page: int, parameters: ExtractionParameters) -> Rejected | Death | None:
    if ended.answer is not None:
        return Rejected.model_validate_json(ended.answer) if ended.answer else None
    if ended.no_memory:
        return Death(page, _too_big(parameters.memory_bytes))
    return Death(page, _confused(ended.confused) if ended.confused else _crashed(ended.code, parameters))


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


def _confused(error: str) -> Rejected:
    """What a reader of ours makes of a document that it did not foresee: the error's name tells which part it was."""
    detail = f"Reading the PDF failed ({error}): it is built in a way that is not understood."
    return Rejected(reason="parser-crashed", detail=f"{detail} Print it to a new PDF, and please report it.")


def _read_in_child(work_json: str, ticks: str) -> str:
    """Runs in the child. Answers in JSON: a refusal, or nothing."""
    work = PageRange.model_validate_json(work_json)
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

"""Processes of a launch that outlived it, found by the token in their environment, and ended."""

import os
from collections.abc import Callable, Iterable

import psutil

from cli.launcher.plan import LAUNCH_VARIABLE

TERM_SECONDS = 3.0
KILL_SECONDS = 3.0


def descendants(pid: int) -> list[psutil.Process]:
    """A process and all below it, as they are now."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def marked(token: str) -> list[psutil.Process]:
    """The processes of this user that carry a launch's token, and all below them: some write a title over their environment.
    This process and its parents are never among them."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    carriers = [process for process in psutil.process_iter() if process.pid not in mine and _token(process) == token]
    family = {each: None for carrier in carriers for each in descendants(carrier.pid)}
    return [process for process in family if process.pid not in mine]


def _token(process: psutil.Process) -> str | None:
    try:
        found: str | None = process.environ().get(LAUNCH_VARIABLE)
        return found
    except (psutil.Error, OSError):
        return None


def wait_for(process: psutil.Process, seconds: float) -> None:
    """Wait for a process to end by itself, at most so long."""
    psutil.wait_procs([process], timeout=seconds)


def end(processes: Iterable[psutil.Process]) -> int:
    """Ask the processes to end, then make them. Returns how many had to be asked. A reused process id is never touched."""
    alive = [process for process in processes if _alive(process)]
    for process in alive:
        _signal(process.terminate)
    _gone, stubborn = psutil.wait_procs(alive, timeout=TERM_SECONDS)
    for process in stubborn:
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=KILL_SECONDS)
    return len(alive)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.Error:
        return

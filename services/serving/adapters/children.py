"""Child processes that may outlive the controller that started them: started in a group of their own, written down, found
again by process id and start time, and ended as a group."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from shared.contracts.base import Contract

_POLL_SECONDS = 0.1
_SAME_START_SECONDS = 5
"""Start times are told against a clock that may be set right meanwhile."""


class ChildRecord(Contract):
    """Which process it is. A process id alone may be another's by now; with its start time it is not."""

    pid: int
    created_at: float
    command: tuple[str, ...]


def start(command: Sequence[str], environment: Mapping[str, str], log_file: Path) -> ChildRecord:
    """Start a process as the leader of a new session, so that it and all its descendants can be ended together."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    return ChildRecord(pid=child.pid, created_at=psutil.Process(child.pid).create_time(), command=tuple(command))


def is_alive(record: ChildRecord) -> bool:
    """Whether that very process runs: same id, same start time, same command line, and no zombie."""
    _reap(record.pid)
    process = _process(record)
    try:
        if process is None or process.status() == psutil.STATUS_ZOMBIE:
            return False
        # The interpreter of a script stands before it, so the command is the end of the line.
        return tuple(process.cmdline()[-len(record.command) + 1 :]) == record.command[1:]
    except psutil.NoSuchProcess:
        return False


def end(record: ChildRecord, grace_seconds: float) -> None:
    """End the process and whatever it started: asked first, killed after the grace. One that is gone is no error."""
    _reap(record.pid)
    leader = _process(record)
    if leader is None and psutil.pid_exists(record.pid):
        return  # Another process has the id now, which it could not have while the group lived.
    if leader is not None and is_alive(record):
        _signal([leader], signal.SIGTERM)
        _wait(record, grace_seconds)
    # The leader may be dead and its group not: workers of a killed server hold the memory.
    _signal(_members(record), signal.SIGKILL)
    _wait(record, grace_seconds)
    _reap(record.pid)


def _process(record: ChildRecord) -> psutil.Process | None:
    try:
        process = psutil.Process(record.pid)
    except psutil.NoSuchProcess:
        return None
    return process if abs(process.create_time() - record.created_at) < _SAME_START_SECONDS else None


def _members(record: ChildRecord) -> Iterator[psutil.Process]:
    """Living processes of the child's group. Those older than it belong to another group that once had the id."""
    for process in psutil.process_iter():
        try:
            in_group = (
                os.getpgid(process.pid) == record.pid and process.create_time() >= record.created_at - _SAME_START_SECONDS
            )
            if in_group and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait(record: ChildRecord, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_members(record)) and time.monotonic() < deadline:
        _reap(record.pid)
        time.sleep(_POLL_SECONDS)


def _reap(pid: int) -> None:
    """Collect a child's exit, where it was this process that started it."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)

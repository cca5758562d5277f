"""Taking a launch down: services together, then the queue server, then supervisord, then whatever outlived them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cli.home import Home
from cli.launcher.plan import QUEUE
from cli.launcher.supervision import Supervisor, connect
from cli.outcome import Exit, Failure

STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})
SERVICES_SECONDS = 15.0
QUEUE_SECONDS = 9.0
SUPERVISORD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was taken down: whether a supervisord answered, its programs, and how many processes had outlived it."""

    was_up: bool
    programs: tuple[str, ...]
    leftovers: int


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """One `up` or `down` at a time for a home. Raises Failure where another is at it."""
    import fcntl

    home.make()
    with (home.run / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Failure(f"Another `lectern up` or `down` is at {home.root}; wait for it.", Exit.CONFLICT, "busy") from error
        yield


def take_down(home: Home) -> Stopped:
    """Stop everything that runs under a home. What did not run is no error."""
    from cli.launcher import leftovers

    supervisor = connect(home)
    family = leftovers.descendants(supervisor.pid()) if supervisor else []
    programs = _stop(supervisor) if supervisor else ()
    if family:
        leftovers.wait_for(family[0], SUPERVISORD_SECONDS)
    token = home.token()
    strays = [*family, *(leftovers.marked(token) if token else [])]
    ended = leftovers.end(dict.fromkeys(strays))
    for name in ("supervisord.sock", "supervisord.pid", "token"):
        (home.run / name).unlink(missing_ok=True)
    home.socket.unlink(missing_ok=True)
    return Stopped(supervisor is not None, programs, ended)


def _stop(supervisor: Supervisor) -> tuple[str, ...]:
    groups = list(dict.fromkeys(process.group for process in supervisor.processes()))
    services = [group for group in groups if group != QUEUE]
    for group in services:
        supervisor.stop(group)
    _wait(supervisor, services, SERVICES_SECONDS)
    supervisor.stop(QUEUE)
    _wait(supervisor, [QUEUE], QUEUE_SECONDS)
    supervisor.shutdown()
    return tuple(groups)


def _wait(supervisor: Supervisor, groups: list[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if all(process.state in STOPPED for process in supervisor.processes() if process.group in groups):
            return
        time.sleep(0.1)

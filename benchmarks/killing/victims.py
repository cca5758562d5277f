"""Kill -9 at a step of the run: the Ray worker, the driver or the Celery worker; and where training went on afterwards."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import psutil

from benchmarks.killing.place import Place
from services.training.spec import LIVE_CURVE

T = TypeVar("T")
Victim = Literal["Ray worker", "driver", "Celery worker"]
VICTIMS: tuple[Victim, ...] = ("Ray worker", "driver", "Celery worker")

_LOOK_SECONDS = 0.002
_PATIENCE_SECONDS = 1200.0


@dataclass(frozen=True)
class Planned:
    """A kill that is to come: of whom, and at which step of the run."""

    victim: Victim
    step: int


@dataclass(frozen=True)
class Killed:
    """A kill that was: the last step told before it, the step that training went on from, the seconds until then, which
    processes it ought to end, and how many of them still trained when training went on."""

    victim: Victim
    planned: int
    step: int
    resumed_at: int
    seconds: float
    doomed: tuple[psutil.Process, ...]
    overlapping: int


@dataclass(frozen=True)
class Job:
    """The process of a job, and the file to which its points go."""

    process: psutil.Process
    curve: Path

    @classmethod
    def of(cls, place: Place) -> "Job | None":
        process = place.driver()
        try:
            return process and cls(process, Path(process.cmdline()[-1]).parent / LIVE_CURVE)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, IndexError):
            return None

    def runs(self) -> bool:
        return _lives(self.process)

    def lines(self) -> list[str]:
        """The points told so far, as they were written: a point that is told again is the same line again."""
        return self.curve.read_text(encoding="utf-8").split("\n")[:-1] if self.curve.is_file() else []

    def workers(self) -> list[psutil.Process]:
        """Ray's processes that train, by the names that Ray gives them."""
        return [one for one in self.process.children(recursive=True) if "RayTrainWorker" in _title(one)]


def kill_at(place: Place, planned: Planned) -> Killed:
    """Wait for the step, kill, wait until training goes on. Raises TimeoutError where it does not come to that."""
    job = _wait(place, _at_step(place, planned.step), f"step {planned.step}")
    victim, doomed = _doomed(place, job, planned.victim)
    trained = job.workers()
    before = job.lines()
    victim.kill()
    killed_at = time.monotonic()
    before = job.lines() or before  # the file may be gone already with its attempt
    again = _wait(place, _first_new_step(place, job, before), "training to go on")
    still = [one for one in trained if one in doomed and _lives(one)]
    return Killed(
        planned.victim, planned.step, _step(before[-1]), again - 1, time.monotonic() - killed_at, tuple(doomed), len(still)
    )


def _doomed(place: Place, job: Job, victim: Victim) -> tuple[psutil.Process, list[psutil.Process]]:
    """Whom to kill, and who must end with it."""
    below = job.process.children(recursive=True)
    if victim == "Ray worker":
        (worker, *_) = job.workers()
        return worker, [worker]
    if victim == "driver":
        return job.process, [job.process, *below]
    assert place.worker is not None
    celery = psutil.Process(place.worker.pid)
    return celery, [job.process, *below]


def _at_step(place: Place, step: int) -> Callable[[], Job | None]:
    job: Job | None = None

    def look() -> Job | None:
        nonlocal job
        if job is None or not job.runs():
            job = Job.of(place)
        lines = job.lines() if job else []
        return job if job and lines and _step(lines[-1]) >= step and job.workers() else None

    return look


def _first_new_step(place: Place, old: Job, before: list[str]) -> Callable[[], int | None]:
    """The first step that is trained anew: points of steps that a checkpoint covers are told again word for word."""

    def look() -> int | None:
        job = Job.of(place)
        if job is None:
            return None
        # The driver of a killed Ray worker lives, and goes on in the same file.
        lines = job.lines()[len(before) :] if job.curve == old.curve else job.lines()
        known = {*before, *(old.lines() if job.curve != old.curve else ())}
        return next((_step(line) for line in lines if line not in known), None)

    return look


def _wait(place: Place, found: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        place.attend()
        value = found()
        if value is not None:
            return value
        if ended := place.ended():
            raise TimeoutError(f"the run ended ({ended}) while {what} was waited for")
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError(f"waited {_PATIENCE_SECONDS:.0f} s for {what}; the worker's log is {place.root / 'worker.log'}")


def _step(line: str) -> int:
    return int(json.loads(line)["step"])


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""

"""The loop that carries out chores: each under a lease, told of as a job, and taken up again where a gateway died at it."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

import structlog
from opentelemetry.trace import SpanKind

from shared.catalog.protocol import Catalog, JobWork
from shared.clock import now
from shared.contracts.work import ChoreWork, Progress
from shared.errors import Cancelled, LeaseHeld, LecternError, Unavailable
from shared.queue import Leases
from shared.telemetry import log
from shared.tracing import span

Tell = Callable[[int, int, str], None]
"""Done, total, unit."""
Chore = Callable[[ChoreWork, "Teller"], dict[str, Any]]
"""Does the work from wherever it stands, twice if need be; answers numbers. A retryable error asks for another try."""

End = Literal["cancelled", "dead"]

RETRY_SECONDS = 2.0
MAX_ATTEMPTS = 20
"""Of what is broken. Waiting for a worker to let go of its work is no failure and is tried for ever."""
TELL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Chores:
    """What chores there are, and where they are written down."""

    catalog: Catalog
    leases: Leases
    kinds: Mapping[str, Chore]
    """Those that this loop does; others are left to another."""
    regular: Callable[[], object] = lambda: None
    """Asks for what is to be done every so often; asking twice in one period changes nothing."""
    max_attempts: int = MAX_ATTEMPTS
    lease: str | None = None
    """Held by whoever does one of them, where one is done at a time in the whole installation; others stay queued."""
    ended: Callable[[ChoreWork, End, str, str], object] = lambda work, kind, code, detail: None
    """Told of each that ends without a result, its code and its words, before the catalog is."""

    def sweep(self) -> int:
        """Carry out what is due; returns how many were taken up. Raises Unavailable."""
        return sum(self._take(job) for job in self.catalog.chores() if job.stage in self.kinds and _due(job))

    def _take(self, job: JobWork) -> bool:
        work = ChoreWork.model_validate(job.work)
        alone = self.leases.hold(self.lease) if self.lease else nullcontext()
        bound = structlog.contextvars.bound_contextvars(job=job.id, trace=work.trace)
        try:
            with self.leases.hold(f"chore:{job.id}"), alone, bound:
                if begun := self.catalog.begin_chore(job.id):
                    with span(f"chore {work.chore}", {"job": job.id}, SpanKind.CONSUMER):
                        self._carry_out(work)
                return begun
        except LeaseHeld:
            return False

    def _carry_out(self, work: ChoreWork) -> None:
        log().info(f"{work.chore}.begin")
        try:
            result = self.kinds[work.chore](work, Teller(self.catalog, work.job))
        except Cancelled as error:
            self._end(work, "cancelled", error.code, error.message)
            log().info(f"{work.chore}.cancelled")
        except LeaseHeld as error:
            self.catalog.let_go_chore(work.job, time.time() + RETRY_SECONDS, error.code, error.message)
        except Exception as error:
            self._broken(work, error)
        else:
            self.catalog.finish_chore(work.job, result, now())
            log().info(f"{work.chore}.done")

    def _broken(self, work: ChoreWork, error: Exception) -> None:
        known = isinstance(error, LecternError)
        code = error.code if isinstance(error, LecternError) else "internal"
        detail = str(error) if known else f"{type(error).__name__} in {work.chore}"
        log().error(f"{work.chore}.broken", code=code, exc_info=error)
        attempts = self.catalog.attempts(work.job)
        if attempts >= self.max_attempts or (isinstance(error, LecternError) and not error.retryable):
            self._end(work, "dead", code, detail)
        else:
            self.catalog.retry_job(work.job, time.time() + RETRY_SECONDS * attempts, code, detail)

    def _end(self, work: ChoreWork, kind: End, code: str, detail: str) -> None:
        self.ended(work, kind, code, detail)
        self.catalog.finish_job(work.job, kind, code, detail, now())


class Teller:
    """Tells how far a chore has come, now and then. Raises Cancelled where it was called off."""

    def __init__(self, catalog: Catalog, job: str) -> None:
        self._catalog = catalog
        self._job = job
        self._told: Progress | None = None
        self._told_at = 0.0

    def __call__(self, done: int, total: int, unit: str) -> None:
        if time.monotonic() - self._told_at >= TELL_SECONDS:
            self.tell(Progress(done=done, total=total, unit=unit))

    def tell(self, progress: Progress) -> None:
        """At once where there is something new, else as a sign of life."""
        if progress == self._told and time.monotonic() - self._told_at < TELL_SECONDS:
            return
        new, self._told, self._told_at = progress != self._told, progress, time.monotonic()
        if self._catalog.touch(self._job, progress if new else None):
            raise Cancelled("Called off by a user.")


def _due(job: JobWork) -> bool:
    return job.state != "waiting" or (job.retry_at is not None and job.retry_at <= time.time())


def do_chores(chores: Chores, every_seconds: float, woken: Event, stopped: Event) -> None:
    """Sweep whenever woken, and every so many seconds, until told to stop."""
    while not stopped.is_set():
        woken.wait(every_seconds)
        woken.clear()
        if stopped.is_set():
            return
        try:
            chores.regular()
            chores.sweep()
        except Unavailable:
            log().warning("chores.unavailable")
        except Exception as error:
            log().error("chores.broken", exc_info=error)

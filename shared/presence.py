"""Signs of life: each process tells the queue server every few seconds that it is there and what it is at.

A report is kept for a quarter of an hour after the last one, so that a process which died without a word is seen to be
missing; one that ends properly takes its report away. Ages come from the server's own count of how long a report will still
be kept: no two machines' clocks are compared.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Protocol

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from shared.clock import now
from shared.contracts.workers import AtWork, Gpu, WorkerReport, WorkerView
from shared.errors import Unavailable
from shared.gpus import seen_gpus
from shared.version import version_here

KEPT_SECONDS = 900
MISSED_BEATS = 3
GPU_SECONDS = 15.0
"""Between two looks at the GPUs: the driver's tool takes up to a second."""

_LEAVE_SECONDS = 3.0
_ALL = "workers"


class Workforce(Protocol):
    """Everybody who gave a sign of life lately."""

    def present(self) -> Sequence[WorkerView]:
        """By service, host and number. Raises Unavailable where the queue server does not answer."""


class RedisWorkforce:
    """The `Workforce` Protocol, and the other side of it, over Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def tell(self, report: WorkerReport) -> None:
        """Raises RedisError."""
        with self._redis.pipeline() as pipeline:
            pipeline.set(_key(report.id), report.model_dump_json(), ex=KEPT_SECONDS)
            pipeline.sadd(_ALL, report.id)
            pipeline.execute()

    def leave(self, worker: str) -> None:
        """Raises RedisError."""
        with self._redis.pipeline() as pipeline:
            pipeline.delete(_key(worker))
            pipeline.srem(_ALL, worker)
            pipeline.execute()

    def present(self) -> Sequence[WorkerView]:
        try:
            names = sorted(name.decode() for name in self._redis.smembers(_ALL))
            told = self._told(names)
            gone = [name for name, (content, _) in told.items() if content is None]
            if gone:
                self._redis.srem(_ALL, *gone)
        except RedisError as error:
            raise Unavailable("The queue server does not answer, so the workers cannot be heard.") from error
        views = [view for content, left in told.values() if content is not None and (view := _view(content, left)) is not None]
        return sorted(views, key=lambda one: (one.service, one.host, one.pid))

    def _told(self, names: list[str]) -> dict[str, tuple[bytes | None, int]]:
        """By name: the report, None where it is kept no longer, and the milliseconds for which it is."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.get(_key(name))
                pipeline.pttl(_key(name))
            answers = pipeline.execute()
        return {name: (answers[2 * at], answers[2 * at + 1]) for at, name in enumerate(names)}


class Presence:
    """The signs of life of this process. A queue server that is away delays them and disturbs nothing else."""

    def __init__(
        self, redis: Redis, service: str, beat_seconds: float, queues: Sequence[str] = (),
        look: Callable[[], tuple[Gpu, ...]] = seen_gpus,
    ) -> None:  # fmt: skip
        self._workforce = RedisWorkforce(redis)
        self._look = look
        self._looked_at: float | None = None
        self._ended = Event()
        self._thread = Thread(target=self._beat, daemon=True, name="presence")
        self._at: AtWork | None = None
        self._gpus: tuple[Gpu, ...] = ()
        host, pid = socket.gethostname(), os.getpid()
        self._self = WorkerReport(
            id=f"{service}-{pid}@{host}", service=service, host=host, pid=pid, version=version_here(), queues=tuple(queues),
            started_at=now(), beat_seconds=beat_seconds,
        )  # fmt: skip

    @contextmanager
    def shown(self) -> Iterator[None]:
        """For as long as the process works; then it takes its leave."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Take leave, where it had begun."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVE_SECONDS)

    @contextmanager
    def at_work(self, job: str, stage: str) -> Iterator[None]:
        """While a piece of work goes on."""
        self._at = AtWork(job=job, stage=stage, since=now())
        try:
            yield
        finally:
            self._at = None

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._see()
            self._say(lambda: self._workforce.tell(self._self.model_copy(update={"at": self._at, "gpus": self._gpus})))
            self._ended.wait(self._self.beat_seconds)
        self._say(lambda: self._workforce.leave(self._self.id))

    def _see(self) -> None:
        at = time.monotonic()
        if self._looked_at is None or at - self._looked_at >= GPU_SECONDS:
            self._looked_at, self._gpus = at, self._look()

    def _say(self, say: Callable[[], None]) -> None:
        try:
            say()
        except RedisError:
            return


def no_gpus() -> tuple[Gpu, ...]:
    """For processes that use none, and so do not look."""
    return ()


def _key(worker: str) -> str:
    return f"worker:{worker}"


def _view(content: bytes, left_milliseconds: int) -> WorkerView | None:
    """None for a report of another version of Lectern that cannot be read."""
    try:
        report = WorkerReport.model_validate_json(content)
    except ValidationError:
        return None
    heard = max(0.0, KEPT_SECONDS - left_milliseconds / 1000)
    state = "live" if heard < MISSED_BEATS * report.beat_seconds else "silent"
    return WorkerView(**report.model_dump(), state=state, heard_seconds=round(heard, 1))

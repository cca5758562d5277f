"""The queues: Celery over Redis or Valkey, JSON only, acknowledged after the work, one message at a time.

A message is a wake-up call, not a fact: work that it names is found in the catalog and the store. Losing every message
delays work until the recovery sweep, and doubling one costs a look-up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from shared.contracts.work import Work
from shared.errors import LeaseHeld, Unavailable
from shared.pipeline import STAGES, Stage
from shared.settings import SharedSettings


class Queue(Protocol):
    """Where work waits."""

    def put(self, stage: Stage, work: Work) -> None:
        """Add a message for a stage. Raises Unavailable where the server does not answer."""

    def depth(self, queue: str) -> int:
        """Messages waiting, not counting those being worked on. Raises Unavailable."""

    def ping(self) -> None:
        """Raises Unavailable where the server does not answer."""


class Leases(Protocol):
    """Who is at which work. A lease keeps two workers from doing the same at once; it is a saving, not a guarantee:
    the manifest's conditional create is the guarantee."""

    def hold(self, key: str) -> Any:
        """A context manager that holds the lease and renews it. Raises LeaseHeld on entry."""

    def held(self, key: str) -> bool: ...


def celery_app(settings: SharedSettings) -> Celery:
    """The Celery application, the same in every process that sends or receives."""
    app = Celery("lectern", broker=settings.queue_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_step": 0.4},
        task_create_missing_queues=True,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_seconds,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_keepalive": True,
            "retry_on_timeout": True,
        },
    )
    return app


def task_name(stage: Stage) -> str:
    return f"lectern.{stage.name}"


class CeleryQueue:
    """The `Queue` Protocol over a Celery application."""

    def __init__(self, app: Celery, redis: Redis) -> None:
        self._app = app
        self._redis = redis

    def put(self, stage: Stage, work: Work) -> None:
        try:
            self._app.send_task(task_name(stage), kwargs={"work": work.model_dump(mode="json")}, queue=stage.queue)
        except (OperationalError, RedisError, OSError) as error:
            raise Unavailable("The queue server does not answer; the work is kept and will be queued again.") from error

    def depth(self, queue: str) -> int:
        try:
            return int(self._redis.llen(queue))
        except RedisError as error:
            raise Unavailable("The queue server does not answer.") from error

    def ping(self) -> None:
        try:
            self._redis.ping()
        except RedisError as error:
            raise Unavailable("The queue server does not answer.") from error


class RedisLeases:
    """The `Leases` Protocol over redis-py's lock."""

    def __init__(self, redis: Redis, lease_seconds: int) -> None:
        self._redis = redis
        self._seconds = lease_seconds

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        lock = self._lock(key)
        try:
            if not lock.acquire(blocking=False):
                raise LeaseHeld(f"another worker is at {key}", key=key)
        except RedisError as error:
            raise Unavailable("The queue server does not answer.") from error
        stop = Event()
        renewal = Thread(target=self._renew, args=(lock, stop), daemon=True, name="lease-renewal")
        renewal.start()
        try:
            yield
        finally:
            stop.set()
            renewal.join()
            self._release(lock)

    def held(self, key: str) -> bool:
        try:
            return bool(self._lock(key).locked())
        except RedisError as error:
            raise Unavailable("The queue server does not answer.") from error

    def _lock(self, key: str) -> Lock:
        return Lock(self._redis, f"lease:{key}", timeout=self._seconds, thread_local=False)

    def _renew(self, lock: Lock, stop: Event) -> None:
        """Keep the lease while the work goes on. Where the server lost it, take it anew; where another took it, go on:
        both will come to the same result and one of them commits it."""
        while not stop.wait(self._seconds / 3):
            try:
                lock.reacquire()
            except LockError:
                self._take_again(lock)
            except RedisError:
                continue

    def _take_again(self, lock: Lock) -> None:
        try:
            lock.acquire(blocking=False)
        except RedisError:
            return

    def _release(self, lock: Lock) -> None:
        try:
            lock.release()
        except (LockError, RedisError):
            return


def open_redis(settings: SharedSettings) -> Redis:
    return Redis.from_url(settings.queue_url, socket_connect_timeout=3, socket_timeout=10, health_check_interval=15)


def open_queue(settings: SharedSettings) -> CeleryQueue:
    return CeleryQueue(celery_app(settings), open_redis(settings))


def queues() -> tuple[str, ...]:
    """The names of all queues, in the order of the flow."""
    return tuple(dict.fromkeys(stage.queue for stage in STAGES.values()))

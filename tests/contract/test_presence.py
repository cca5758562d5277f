"""Signs of life, on a real Valkey server and of real worker processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.catalog.database import migrate
from shared.contracts.workers import Gpu, WorkerView
from shared.errors import Unavailable
from shared.pipeline import STAGES
from shared.presence import Presence, RedisWorkforce, no_gpus
from shared.queue import open_redis
from shared.settings import SharedSettings
from tests.servers import Valkey, end, wait_until

ROOT = Path(__file__).parents[2]
GPU = Gpu(uuid="GPU-1", index=0, name="NVIDIA H100", memory_used_bytes=1 << 30, memory_total_bytes=80 << 30)

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def redis(settings: SharedSettings) -> Redis:
    redis = open_redis(settings)
    redis.flushall()
    return redis


@pytest.fixture
def start(settings: SharedSettings, redis: Redis) -> Iterator[Start]:
    """Starts cleaning workers that give a sign of life every 0.3 s."""
    migrate(settings.catalog_url)
    named = {f"LECTERN_{name.upper()}": str(value) for name, value in settings.model_dump(exclude_none=True).items()}
    started: list[subprocess.Popen[bytes]] = []

    def starting() -> subprocess.Popen[bytes]:
        environment = {**os.environ, **named, "LECTERN_HEARTBEAT_SECONDS": "0.3"}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "services.cleaning"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )
        )  # fmt: skip
        return started[-1]

    yield starting
    for process in started:
        if process.poll() is None:
            end(process, signal.SIGKILL)


def only(redis: Redis) -> WorkerView | None:
    try:
        found = RedisWorkforce(redis).present()
    except Unavailable:
        return None
    return found[0] if found else None


def test_what_a_process_is_at_and_the_gpus_it_sees_are_told_and_taken_away_with_it(redis: Redis) -> None:
    presence = Presence(redis, "training", 0.05, ("training", "evaluation"), look=lambda: (GPU,))
    with presence.shown():
        wait_until(lambda: only(redis) is not None, "the first sign of life")
        idle = only(redis)
        assert idle is not None and (idle.state, idle.at, idle.gpus) == ("live", None, (GPU,))
        assert (idle.queues, idle.pid) == (("training", "evaluation"), os.getpid())
        with presence.at_work("run.abc", "training"):
            wait_until(lambda: (one := only(redis)) is not None and one.at is not None, "what it is at")
            busy = only(redis)
            assert busy is not None and busy.at is not None and (busy.at.job, busy.at.stage) == ("run.abc", "training")
        wait_until(lambda: (one := only(redis)) is not None and one.at is None, "its being idle again")
    assert only(redis) is None


def test_a_worker_that_is_told_to_end_takes_its_leave_and_one_that_is_killed_is_seen_to_be_silent(
    redis: Redis, start: Start
) -> None:
    ended, killed = start(), start()
    wait_until(lambda: len(RedisWorkforce(redis).present()) == 2, "two workers")
    assert {one.service for one in RedisWorkforce(redis).present()} == {"cleaning"}
    assert {STAGES[name].queue for name in ("cleaning", "chunking", "screening")} <= set(
        RedisWorkforce(redis).present()[0].queues
    )
    end(ended)
    wait_until(lambda: len(RedisWorkforce(redis).present()) == 1, "its leave")
    end(killed, signal.SIGKILL)
    wait_until(lambda: (one := only(redis)) is not None and one.state == "silent", "its silence")
    left = only(redis)
    assert left is not None and left.pid == killed.pid and left.heard_seconds >= 0.9


def test_reports_that_ran_out_are_dropped_and_unreadable_ones_are_no_workers(redis: Redis) -> None:
    redis.sadd("workers", "gone-1@host", "other-2@host")
    redis.set("worker:other-2@host", '{"of": "another version"}')
    assert RedisWorkforce(redis).present() == []
    assert redis.smembers("workers") == {b"other-2@host"}


def test_a_queue_server_that_is_away_disturbs_no_work_and_is_a_typed_error(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "other")
    server.start()
    redis = Redis(port=server.port, socket_connect_timeout=1)
    presence = Presence(redis, "cleaning", 0.05, look=no_gpus)
    with presence.shown():
        wait_until(lambda: only(redis) is not None, "the first sign of life")
        server.kill()
        with presence.at_work("document.papers.abc", "cleaning"):
            time.sleep(0.2)
        with pytest.raises(Unavailable, match="cannot be heard"):
            RedisWorkforce(redis).present()
        server.start()
        wait_until(lambda: only(redis) is not None, "a sign of life to the server that is back")
    assert only(redis) is None
    server.stop()

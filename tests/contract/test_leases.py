"""What leases and queues must do, on a real Valkey server."""

import time
from pathlib import Path

import pytest
from redis import Redis

from shared.errors import LeaseHeld, Unavailable
from shared.pipeline import EXTRACTION
from shared.queue import CeleryQueue, RedisLeases, celery_app, open_queue
from shared.settings import SharedSettings
from tests.contract.test_catalog import work
from tests.servers import Valkey


@pytest.fixture
def redis(valkey: Valkey) -> Redis:
    client = Redis(port=valkey.port)
    client.flushall()
    return client


def test_a_lease_is_held_by_one(redis: Redis) -> None:
    one, other = RedisLeases(redis, 5), RedisLeases(redis, 5)
    with one.hold("key"):
        assert other.held("key")
        with pytest.raises(LeaseHeld), other.hold("key"):
            pass
    assert not other.held("key")


def test_a_lease_is_renewed_while_the_work_goes_on(redis: Redis) -> None:
    with RedisLeases(redis, 1).hold("key"):
        time.sleep(2.5)
        assert RedisLeases(redis, 1).held("key")


def test_a_lease_that_the_server_lost_is_taken_again(redis: Redis) -> None:
    with RedisLeases(redis, 1).hold("key"):
        redis.flushall()
        time.sleep(1)
        assert RedisLeases(redis, 1).held("key")


def test_a_lease_of_a_dead_worker_runs_out(redis: Redis) -> None:
    redis.set("lease:key", "dead-worker", px=300)
    leases = RedisLeases(redis, 5)
    assert leases.held("key")
    time.sleep(0.5)
    with leases.hold("key"):
        pass


def test_a_message_is_json_and_counted(redis: Redis, settings: SharedSettings) -> None:
    queue = open_queue(settings)
    queue.put(EXTRACTION, work())
    assert queue.depth("extraction") == 1
    message = redis.lindex("extraction", 0)
    assert b'"content-type": "application/json"' in message  # type: ignore[operator]


def test_a_server_that_is_away_is_a_typed_error(valkey: Valkey, tmp_path: Path, settings: SharedSettings) -> None:
    server = Valkey(tmp_path / "other")
    server.start()
    away = settings.model_copy(update={"queue_url": server.url})
    queue = CeleryQueue(celery_app(away), Redis(port=server.port))
    server.kill()
    with pytest.raises(Unavailable):
        queue.ping()
    with pytest.raises(Unavailable):
        queue.put(EXTRACTION, work())
    with pytest.raises(Unavailable):
        queue.depth("extraction")

"""Nothing is lost: not to a dead worker, not to an emptied queue, not to a lost catalog."""

import time

from shared.api_keys import ApiKeys
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import Catalog, Slice
from shared.catalog.sql import SqlCatalog
from shared.contracts.documents import ExtractionParameters, ProcessingParameters
from shared.contracts.keys import ApiKey
from shared.contracts.learning import DeploymentWish
from shared.contracts.views import CHORES
from shared.contracts.work import Rejected
from shared.errors import Unavailable
from shared.pipeline import EXTRACTION
from shared.recovery import Recovery
from shared.reindex import reindex
from tests.unit.shared.test_runner import Counting, World, world  # noqa: F401 - a fixture


def recovery(world: World, silence_seconds: float = 0.2) -> Recovery:  # noqa: F811
    return Recovery(world.runner.catalog, world.runner.queue, world.runner.leases, silence_seconds=silence_seconds)


def test_what_the_queue_lost_is_queued_again(world: World) -> None:  # noqa: F811
    world.redis.flushall()
    assert recovery(world, silence_seconds=600).sweep() == 0, "a message may still be on its way"
    time.sleep(0.3)
    assert recovery(world).sweep() == 1
    assert world.redis.llen("extraction") == 1
    assert recovery(world, silence_seconds=600).sweep() == 0


def test_a_full_queue_is_not_filled_further(world: World) -> None:  # noqa: F811
    time.sleep(0.3)
    assert world.redis.llen("extraction") == 1
    assert recovery(world).sweep() == 0


def test_what_a_dead_worker_left_is_queued_again(world: World) -> None:  # noqa: F811
    world.redis.flushall()
    world.runner.catalog.begin_stage(world.work, "extraction", EXTRACTION.key(world.work))
    time.sleep(0.3)
    assert recovery(world).sweep() == 1


def test_what_a_living_worker_is_at_is_left_to_it(world: World) -> None:  # noqa: F811
    world.redis.flushall()
    world.runner.catalog.begin_stage(world.work, "extraction", EXTRACTION.key(world.work))
    time.sleep(0.3)
    with world.runner.leases.hold(EXTRACTION.key(world.work)):
        assert recovery(world).sweep() == 0


def test_what_waits_is_queued_when_its_time_has_come(world: World) -> None:  # noqa: F811
    world.redis.flushall()
    world.runner.run(EXTRACTION, world.work, Counting(Unavailable("away")))
    assert recovery(world).sweep() == 0
    world.runner.catalog.retry_job(world.job, time.time() - 1, "unavailable", "away")
    assert recovery(world).sweep() == 1


def answers(catalog: Catalog) -> list[object]:
    """All that users see of a catalog, but for the moments at which things were observed, and chores: they are no facts."""
    return [
        catalog.collections(Slice()),
        [catalog.document(one.collection, one.id) for one in catalog.documents(Slice())],
        [one for one in catalog.jobs(Slice()) if one.kind not in CHORES],
        catalog.datasets(Slice()), catalog.runs(Slice()), catalog.models(Slice()),
        catalog.deployments(), catalog.keys(),
    ]  # fmt: skip


def rebuilt(world: World, path: str) -> SqlCatalog:  # noqa: F811
    migrate(f"sqlite:///{path}")
    catalog = SqlCatalog(open_database(f"sqlite:///{path}"))
    reindex(world.runner.store, catalog)
    return catalog


def test_a_rebuilt_catalog_answers_the_same(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    world.runner.run(EXTRACTION, world.work, Counting())
    ApiKeys(world.runner.store, world.runner.catalog).create("laptop", ("admin",))
    world.records.wish_deployment(DeploymentWish(name="chat", model=None, base="b", wished_at="2026-01-01T00:00:00Z"))
    again = rebuilt(world, f"{tmp_path}/again.db")
    assert answers(again) == answers(world.runner.catalog)
    kept = again.keys()
    assert kept and all(isinstance(key, ApiKey) for key in kept)


def test_a_rebuilt_catalog_knows_what_was_refused(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    world.runner.run(EXTRACTION, world.work, Counting(Rejected(reason="damaged", detail="cannot be opened")))
    assert answers(rebuilt(world, f"{tmp_path}/again.db")) == answers(world.runner.catalog)


def test_a_rebuilt_catalog_knows_what_was_given_up_and_called_off(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    world.records.jobs.cancel(world.job)
    assert answers(rebuilt(world, f"{tmp_path}/one.db")) == answers(world.runner.catalog)
    world.records.jobs.retry(world.job)
    assert answers(rebuilt(world, f"{tmp_path}/two.db")) == answers(world.runner.catalog)


def test_what_was_given_up_under_other_settings_starts_afresh(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    world.records.jobs.cancel(world.job)
    world.records.set_parameters("shelf", ProcessingParameters(extraction=ExtractionParameters(max_pages=9)))
    world.records.reprocess("shelf")
    assert world.state() == ("queued", None)
    assert answers(rebuilt(world, f"{tmp_path}/again.db")) == answers(world.runner.catalog)

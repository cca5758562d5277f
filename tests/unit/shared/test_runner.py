"""The runner's promises: nothing twice, nothing lost, every end told."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from shared import layout
from shared.catalog.sql import SqlCatalog
from shared.contracts.base import Contract
from shared.contracts.documents import Document, ExtractionResult, Membership
from shared.contracts.work import DocumentWork, JobEvent, Rejected
from shared.errors import LecternError, Unavailable
from shared.objects import ObjectStore, Series, create_contract
from shared.pipeline import CLEANING, EXTRACTION
from shared.queue import CeleryQueue, RedisLeases, celery_app
from shared.records import Records
from shared.results import committed
from shared.runner import Runner
from shared.settings import SharedSettings
from shared.stage import StageContext
from tests.servers import Valkey

DOCUMENT = "d" * 64


class Fatal(LecternError):
    """An error that trying again does not mend."""

    code = "fatal"


class World:
    """A runner on real parts, a document on its shelf, and its message."""

    def __init__(self, runner: Runner, redis: Redis) -> None:
        self.runner = runner
        self.redis = redis
        self.records = Records(runner.store, runner.catalog, runner.queue)
        document = Document(id=DOCUMENT, filename="a.pdf", size_bytes=3, uploaded_at="t")
        create_contract(runner.store, layout.document(DOCUMENT), document)
        self.records.collect("shelf")
        self.membership = Membership(collection="shelf", document=DOCUMENT, filename="a.pdf", added_at="t")
        create_contract(runner.store, layout.membership("shelf", DOCUMENT), self.membership)
        self.job = self.records.process(self.membership)

    @property
    def work(self) -> DocumentWork:
        found = self.runner.catalog.work(self.job)
        assert found is not None
        return DocumentWork.model_validate(found.work)

    def state(self) -> tuple[str, str | None]:
        found = self.runner.catalog.job(self.job)
        assert found is not None
        return found.state, found.code


@pytest.fixture
def world(store: ObjectStore, catalog: SqlCatalog, settings: SharedSettings, valkey: Valkey) -> Iterator[World]:
    redis = Redis(port=valkey.port)
    redis.flushall()
    queue = CeleryQueue(celery_app(settings), redis)
    yield World(Runner(store, catalog, queue, RedisLeases(redis, 5), settings), redis)
    redis.close()


class Counting:
    """A handler that counts its calls and writes one file."""

    def __init__(self, answer: Contract | Exception | None = None) -> None:
        self.calls = 0
        self.answer = answer

    def __call__(self, context: StageContext[Any]) -> Contract:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        (context.out / "deep").mkdir()
        (context.out / "deep" / "document.mmd").write_text(f"call {self.calls}")
        return self.answer or ExtractionResult(pages=1, pages_failed=0, blocks=1, characters=6)


def test_what_an_attempt_kept_is_there_for_the_next_one_and_gone_when_the_result_stands(world: World, tmp_path: Path) -> None:
    def first(context: StageContext[Any]) -> Contract:
        part = context.scratch / "part.jsonl"
        assert not context.recall(part) and not part.exists()
        part.write_text("half")
        context.keep(part)
        raise Unavailable("cut short")

    def second(context: StageContext[Any]) -> Contract:
        assert context.recall(context.scratch / "part.jsonl")
        assert (context.scratch / "part.jsonl").read_text() == "half"
        return ExtractionResult(pages=1, pages_failed=0, blocks=1, characters=4)

    assert world.runner.run(EXTRACTION, world.work, first) == "waiting"
    kept = layout.kept(EXTRACTION.name, EXTRACTION.key(world.work))
    assert len(list(world.runner.store.list(kept))) == 1
    assert world.runner.run(EXTRACTION, world.work, second) == "done"
    assert not list(world.runner.store.list(kept))


def test_a_result_is_committed_and_the_next_stage_queued(world: World) -> None:
    world.redis.delete("extraction", "cleaning")
    assert world.runner.run(EXTRACTION, world.work, Counting()) == "done"
    manifest = committed(world.runner.store, "extraction", EXTRACTION.key(world.work))
    assert manifest is not None
    assert world.runner.store.read(manifest.files["deep/document.mmd"].path) == b"call 1"
    assert world.redis.llen("cleaning") == 1
    assert world.runner.catalog.job(world.job).stage == "cleaning"  # type: ignore[union-attr]


def test_a_redelivered_message_does_not_work_twice(world: World) -> None:
    handler = Counting()
    assert world.runner.run(EXTRACTION, world.work, handler) == "done"
    assert world.runner.run(EXTRACTION, world.work, handler) == "stood"
    assert handler.calls == 1


def test_of_two_workers_at_the_same_work_one_commits_and_the_other_leaves_nothing(world: World) -> None:
    inner = Counting()

    def slow(context: StageContext[Any]) -> Contract:
        world.redis.flushall()
        world.runner.run(EXTRACTION, world.work, inner)
        return Counting()(context)

    assert world.runner.run(EXTRACTION, world.work, slow) == "done"
    key = EXTRACTION.key(world.work)
    assert len(list(world.runner.store.list(layout.stage("extraction", key)))) == 2


def test_a_worker_that_finds_the_lease_held_leaves_it_alone(world: World) -> None:
    handler = Counting()
    with world.runner.leases.hold(EXTRACTION.key(world.work)):
        assert world.runner.run(EXTRACTION, world.work, handler) == "elsewhere"
    assert handler.calls == 0


def test_a_refusal_is_committed_and_ends_the_job(world: World) -> None:
    refusal = Rejected(reason="encrypted", detail="Remove the password.")
    assert world.runner.run(EXTRACTION, world.work, Counting(refusal)) == "failed"
    assert world.state() == ("failed", "encrypted")
    handler = Counting()
    assert world.runner.run(EXTRACTION, world.work, handler) == "failed"
    assert handler.calls == 0


def test_what_may_pass_is_tried_again_with_back_off_and_then_given_up(world: World) -> None:
    handler = Counting(Unavailable("the store does not answer"))
    outcomes = [world.runner.run(EXTRACTION, world.work, handler) for _ in range(5)]
    assert outcomes == ["waiting"] * 4 + ["dead"]
    assert world.state() == ("dead", "unavailable")
    latest = Series(world.runner.store, layout.job_events(world.job)).latest(JobEvent)
    assert latest is not None
    assert (latest[1].kind, latest[1].code, latest[1].attempts) == ("dead", "unavailable", 5)


def test_what_cannot_pass_is_given_up_at_once(world: World) -> None:
    assert world.runner.run(EXTRACTION, world.work, Counting(Fatal("no"))) == "dead"
    assert world.state() == ("dead", "fatal")


def test_an_unexpected_error_tells_users_its_kind_and_not_its_text(world: World) -> None:
    world.runner.run(EXTRACTION, world.work, Counting(ValueError("secret text of the document")))
    found = world.runner.catalog.job(world.job)
    assert found is not None
    assert found.detail == "ValueError in extraction"


def test_work_that_kills_every_worker_is_given_up(world: World) -> None:
    key = EXTRACTION.key(world.work)
    for _ in range(world.runner.settings.max_attempts):
        world.runner.catalog.begin_stage(world.work, "extraction", key)
    handler = Counting()
    assert world.runner.run(EXTRACTION, world.work, handler) == "dead"
    assert (world.state(), handler.calls) == (("dead", "worker-lost"), 0)


def test_a_job_called_off_while_it_runs_is_cancelled(world: World) -> None:
    def endless(context: StageContext[Any]) -> Contract:
        world.records.jobs.cancel(world.job)
        while True:
            context.progress(1, 1, "page")

    assert world.runner.run(EXTRACTION, world.work, endless) == "cancelled"
    assert world.state() == ("cancelled", "cancelled")


def test_a_job_called_off_before_it_runs_is_not_begun(world: World) -> None:
    assert world.records.jobs.cancel(world.job).state == "cancelled"
    handler = Counting()
    assert world.runner.run(EXTRACTION, world.work, handler) == "cancelled"
    assert handler.calls == 0


def test_a_cancelled_job_can_be_started_again(world: World) -> None:
    world.records.jobs.cancel(world.job)
    assert world.records.jobs.retry(world.job).state == "queued"
    assert world.runner.run(EXTRACTION, world.work, Counting()) == "done"


def test_a_message_from_before_a_change_of_settings_does_not_finish_the_job(world: World) -> None:
    from shared.contracts.documents import ExtractionParameters, ProcessingParameters

    old = world.work
    world.records.set_parameters("shelf", ProcessingParameters(extraction=ExtractionParameters(max_pages=7)))
    world.records.reprocess("shelf")
    assert world.runner.run(EXTRACTION, old, Counting()) == "superseded"
    assert world.runner.run(EXTRACTION, world.work, Counting()) == "done"


def test_changing_the_chunk_size_keeps_extraction(world: World) -> None:
    from shared.contracts.documents import ChunkingParameters, ProcessingParameters

    world.runner.run(EXTRACTION, world.work, Counting())
    world.redis.delete("extraction", "cleaning")
    world.records.set_parameters("shelf", ProcessingParameters(chunking=ChunkingParameters(max_tokens=64)))
    world.records.reprocess("shelf")
    assert (world.redis.llen("extraction"), world.redis.llen("cleaning")) == (0, 1)
    assert world.runner.catalog.job(world.job).stage == "cleaning"  # type: ignore[union-attr]


def test_an_output_of_an_earlier_stage_is_at_hand(world: World) -> None:
    world.runner.run(EXTRACTION, world.work, Counting())
    seen: list[str] = []

    def reading(context: StageContext[Any]) -> Contract:
        key = EXTRACTION.key(context.work)
        seen.append(context.fetch("extraction", key, "deep/document.mmd").read_text())
        assert context.result("extraction", key)["pages"] == 1
        return Counting()(context)

    world.runner.run(CLEANING, world.work, reading)
    assert seen == ["call 1"]


def test_an_attempt_leaves_no_files_behind(world: World, tmp_path: Path) -> None:
    kept: list[Path] = []

    def remember(context: StageContext[Any]) -> Contract:
        kept.append(context.scratch)
        return Counting()(context)

    world.runner.run(EXTRACTION, world.work, remember)
    assert not kept[0].exists()


class ForgetfulStore:
    """A store that writes a manifest, loses its answer, and is asked again."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def create(self, path: str, data: bytes) -> None:
        self._store.create(path, data)
        if path.endswith("manifest.json"):
            self._store.create(path, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_commit_whose_answer_was_lost_keeps_its_own_files(world: World) -> None:
    runner = replace(world.runner, store=ForgetfulStore(world.runner.store))  # type: ignore[arg-type]
    assert runner.run(EXTRACTION, world.work, Counting()) == "done"
    manifest = committed(world.runner.store, "extraction", EXTRACTION.key(world.work))
    assert manifest is not None and manifest.files
    assert all(world.runner.store.size(file.path) == file.size_bytes for file in manifest.files.values())


def test_progress_that_the_database_does_not_hear_of_costs_no_attempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> bool:
        raise Unavailable("The catalog's database does not answer just now.")

    def handler(context: StageContext[Any]) -> Contract:
        with monkeypatch.context() as patched:
            patched.setattr(world.runner.catalog, "touch", away)
            context.progress(1, 2, "step")
        return Counting()(context)

    assert world.runner.run(EXTRACTION, world.work, handler) == "done"
    assert world.runner.catalog.attempts(world.job) == 0, "the next stage has not begun"

"""What every catalog must do, run against SQLite and a real PostgreSQL."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.catalog.database import open_database
from shared.catalog.protocol import Answer, Catalog, NewJob, Slice
from shared.catalog.sql import SqlCatalog
from shared.contracts.documents import ChunkingParameters, ProcessingParameters
from shared.contracts.forgetting import DatasetTrace, ModelTrace, Receipt, Uses
from shared.contracts.keys import ApiKey, Deed
from shared.contracts.learning import Canary, DatasetInput, DatasetParameters, DatasetWish, DeploymentWish
from shared.contracts.preferences import PreferenceParameters, PreferenceSet
from shared.contracts.retention import Promotion
from shared.contracts.views import CHORES, Standing
from shared.contracts.work import DocumentWork, Manifest, Progress, Rejected, Work
from shared.errors import Unavailable


def work(document: str = "d" * 64, trace: str = "t1", max_tokens: int = 256) -> DocumentWork:
    parameters = ProcessingParameters(chunking=ChunkingParameters(max_tokens=max_tokens))
    return DocumentWork(
        job=f"document.c.{document[:16]}", trace=trace, collection="c", document=document, parameters=parameters
    )


def new_job(message: DocumentWork, at: str = "2026-01-01T00:00:00Z") -> NewJob:
    return NewJob(message.job, "document", message.document, "c", "extraction", message, at)


def manifest(stage: str = "extraction", rejected: Rejected | None = None) -> Manifest:
    return Manifest(
        stage=stage, stage_version=1, key="k", work={}, result={"pages": 3}, rejected=rejected,
        started_at="2026-01-01T00:00:00Z", finished_at="2026-01-01T00:00:02Z", seconds=2.0,
    )  # fmt: skip


@pytest.fixture
def shelf(any_catalog: Catalog) -> Catalog:
    any_catalog.put_collection("c", ProcessingParameters(), 1, "2026-01-01T00:00:00Z")
    return any_catalog


def put(catalog: Catalog, message: DocumentWork, at: str = "2026-01-01T00:00:00Z") -> None:
    catalog.put_job(new_job(message, at))
    catalog.put_document("c", message.document, "paper.pdf", 10, at, message.job)


def test_a_document_moves_through_its_stages(shelf: Catalog) -> None:
    message = work()
    put(shelf, message)
    assert shelf.begin_stage(message, "extraction", "k") == 1
    assert shelf.stage_done(message, manifest(), "cleaning")
    found = shelf.document("c", message.document)
    assert found is not None
    assert (found.state, found.stage) == ("queued", "cleaning")
    assert [(stage.stage, stage.state, stage.result) for stage in found.stages] == [("extraction", "done", {"pages": 3})]
    assert shelf.begin_stage(message, "cleaning", "k2") == 1
    assert shelf.stage_done(message, manifest("cleaning"), None)
    job = shelf.job(message.job)
    assert job is not None
    assert (job.state, job.finished_at) == ("done", "2026-01-01T00:00:02Z")


def test_a_refused_document_is_failed_with_its_reason(shelf: Catalog) -> None:
    message = work()
    put(shelf, message)
    refusal = Rejected(reason="encrypted", detail="Remove the password.")
    shelf.stage_done(message, manifest(rejected=refusal), None)
    found = shelf.document("c", message.document)
    assert found is not None
    assert (found.state, found.code, found.detail) == ("failed", "encrypted", "Remove the password.")


def test_attempts_are_counted_until_the_job_moves_on(shelf: Catalog) -> None:
    message = work()
    put(shelf, message)
    assert [shelf.begin_stage(message, "extraction", "k") for _ in range(3)] == [1, 2, 3]
    assert shelf.attempts(message.job) == 3
    shelf.stage_done(message, manifest(), "cleaning")
    assert shelf.begin_stage(message, "cleaning", "k") == 1


def test_the_same_work_is_not_queued_twice_and_other_work_supersedes_it(shelf: Catalog) -> None:
    assert shelf.put_job(new_job(work(trace="t1")))
    assert not shelf.put_job(new_job(work(trace="t2")))
    assert shelf.put_job(new_job(work(trace="t3", max_tokens=128)))
    assert shelf.begin_stage(work(trace="t1"), "extraction", "k") == 0
    assert not shelf.stage_done(work(trace="t1"), manifest(), None)
    assert shelf.begin_stage(work(trace="t3", max_tokens=128), "extraction", "k") == 1


def test_other_work_of_the_same_trace_supersedes_it_too(shelf: Catalog) -> None:
    """One client's requests may all be of one trace."""
    first, second = work(trace="t"), work(trace="t", max_tokens=128)
    assert shelf.put_job(new_job(first))
    assert shelf.begin_stage(first, "extraction", "k") == 1
    assert shelf.put_job(new_job(second))
    assert shelf.begin_stage(first, "extraction", "k") == 0
    assert not shelf.stage_done(first, manifest(), None)
    assert shelf.job(first.job).state == "queued"  # type: ignore[union-attr]
    assert shelf.begin_stage(second, "extraction", "k") == 1


def test_a_job_can_be_started_anew(shelf: Catalog) -> None:
    shelf.put_job(new_job(work(trace="t1")))
    shelf.finish_job(work().job, "dead", "internal", "broken", "2026-01-01T00:00:00Z")
    assert not shelf.put_job(new_job(work(trace="t2")))
    assert shelf.put_job(new_job(work(trace="t2")), anew=True)
    assert shelf.job(work().job).state == "queued"  # type: ignore[union-attr]


def test_progress_is_seen_and_a_wish_to_cancel_is_told(shelf: Catalog) -> None:
    message = work()
    put(shelf, message)
    progress = Progress(done=2, total=9, unit="page", fields={"rate": 1.5})
    assert not shelf.touch(message.job, progress)
    assert shelf.job(message.job).progress == progress  # type: ignore[union-attr]
    shelf.request_cancel(message.job)
    assert shelf.touch(message.job)
    kinds = [event.kind for event in shelf.events(message.job, 0)]
    assert kinds == ["queued", "progress", "cancel-requested"]


def test_events_are_read_on_from_where_one_left_off(shelf: Catalog) -> None:
    for number in range(5):
        shelf.add_event("j", "tick", {"number": number})
    first = shelf.events("j", 0, limit=2)
    rest = shelf.events("j", first[-1].id)
    assert [event.data["number"] for event in (*first, *rest)] == [0, 1, 2, 3, 4]


def test_pending_jobs_are_those_that_are_not_finished(shelf: Catalog) -> None:
    for number in range(4):
        put(shelf, work(document=str(number) * 64))
    shelf.finish_job(work(document="0" * 64).job, "done", None, None, "2026-01-01T00:00:00Z")
    shelf.retry_job(work(document="1" * 64).job, 123.0, "unavailable", "try again")
    pending = {job.id: job for job in shelf.pending()}
    assert len(pending) == 3
    assert pending[work(document="1" * 64).job].retry_at == 123.0
    shelf.requeued(work(document="1" * 64).job)
    assert shelf.work(work(document="1" * 64).job).state == "queued"  # type: ignore[union-attr]


def test_a_list_is_read_page_by_page_without_gap_or_double(shelf: Catalog) -> None:
    for number in range(7):
        put(shelf, work(document=f"{number:016d}".ljust(64, "0")), at=f"2026-01-01T00:00:0{number // 2}Z")
    seen: list[str] = []
    part = Slice(limit=3)
    while documents := shelf.documents(part, collection="c"):
        seen += [document.id for document in documents]
        part = Slice(limit=3, before=(documents[-1].added_at, documents[-1].id))
    assert len(seen) == len(set(seen)) == 7
    assert shelf.count_documents("c") == {"queued": 7}


def test_a_document_is_found_by_the_beginning_of_its_id(shelf: Catalog) -> None:
    put(shelf, work(document="ab" + "0" * 62))
    assert [found.id[:2] for found in shelf.shelves_of("ab0")] == ["ab"]
    assert shelf.shelves_of("%") == []


def test_a_dataset_shows_the_state_of_its_job(shelf: Catalog) -> None:
    wish = DatasetWish(
        key="e" * 64, name="set", collection="c", base="b", parameters=DatasetParameters(),
        inputs=(DatasetInput(document="d", filename="f", screening_key="k"),), created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    shelf.put_dataset(wish)
    found = shelf.dataset("e" * 16)
    assert found is not None
    assert (found.wish, found.state) == (wish, "queued")
    assert shelf.datasets(Slice())[0].id == found.id
    head = shelf.dataset_heads(Slice(5))[0]
    view = shelf.datasets(Slice(5))[0]
    assert (head.id, head.state, head.job, head.stages) == (view.id, view.state, view.job, view.stages)
    assert (head.head.name, head.head.documents, head.head.created_at) == ("set", 1, wish.created_at)
    assert shelf.dataset_head("e" * 16) == head
    assert shelf.dataset_head("0" * 16) is None
    assert shelf.dataset_inputs("e" * 16) == shelf.dataset_inputs("e" * 16, {"d", "x"}) == {"d": "f"}
    assert shelf.dataset_inputs("e" * 16, {"x"}) == {}


def test_a_canary_is_observed_beside_its_deployment_and_is_pending_again_with_a_new_wish(shelf: Catalog) -> None:
    canary = Canary(percent=10, model="m", base="b")
    wish = DeploymentWish(name="birds", model=None, base="b", canary=canary, wished_at="2026-01-01T00:00:00Z")
    shelf.put_deployment(1, wish)
    assert shelf.deployment("birds").canary == Standing()  # type: ignore[union-attr]
    seen = Standing(state="ready", endpoints=("http://127.0.0.1:1", "http://127.0.0.1:2"), served_model="lectern-x", serves="m")
    shelf.observe_canary("birds", seen)
    shelf.observe_deployment("birds", "ready", None, ["http://127.0.0.1:1"], "b", "b")
    found = shelf.deployment("birds")
    assert found is not None and (found.serves, found.endpoints, found.canary) == ("b", ("http://127.0.0.1:1",), seen)
    shelf.put_deployment(2, wish)
    assert shelf.deployment("birds").canary == seen.model_copy(update={"state": "pending"})  # type: ignore[union-attr]
    shelf.observe_canary("birds", None)
    shelf.put_deployment(3, wish.alone)
    assert shelf.deployment("birds").canary is None  # type: ignore[union-attr]


def test_a_new_wish_makes_a_deployment_pending_again(shelf: Catalog) -> None:
    wish = DeploymentWish(name="chat", model="m", base="b", wished_at="2026-01-01T00:00:00Z")
    shelf.put_deployment(1, wish)
    shelf.observe_deployment("chat", "ready", endpoints=["http://127.0.0.1:1"], served_model="lectern-x")
    assert shelf.deployment("chat").served_model == "lectern-x"  # type: ignore[union-attr]
    shelf.put_deployment(2, wish.model_copy(update={"state": "stopped"}))
    found = shelf.deployment("chat")
    assert found is not None
    assert (found.sequence, found.state, found.wish.state) == (2, "pending", "stopped")


def test_a_key_is_found_by_the_hash_of_its_secret(shelf: Catalog) -> None:
    key = ApiKey(id="1", name="n", secret_sha256="s", scopes=("read", "write"), created_at="2026-01-01T00:00:00Z")
    shelf.put_key(key)
    assert shelf.key_by_secret("s") == key
    assert shelf.key_by_secret("other") is None
    assert list(shelf.keys()) == [key]
    assert (shelf.key("1"), shelf.key("2")) == (key, None)


def test_documents_are_found_by_a_part_of_their_file_name(shelf: Catalog) -> None:
    for document, name in (("a" * 64, "Tides_1931.pdf"), ("b" * 64, "tides 100%.pdf"), ("c" * 64, "piers.pdf")):
        put(shelf, work(document))
        shelf.put_document("c", document, name, 1, "2026-01-01T00:00:00Z", work(document).job)
    found = [view.filename for view in shelf.documents(Slice(10), "c", None, "TIDES")]
    assert sorted(found) == ["Tides_1931.pdf", "tides 100%.pdf"]
    assert [view.filename for view in shelf.documents(Slice(10), None, None, "0%")] == ["tides 100%.pdf"]
    assert shelf.documents(Slice(10), None, None, "_%") == []


def test_the_newest_event_is_known_by_its_number(shelf: Catalog) -> None:
    before = shelf.latest_event()
    put(shelf, work())
    assert shelf.latest_event() > before
    assert shelf.events(work().job, shelf.latest_event()) == []


def test_the_audit_log_is_read_newest_first(shelf: Catalog) -> None:
    deeds = [
        Deed(id=str(at), at=f"2026-01-0{at}T00:00:00Z", key="k", name="n", method="PUT", path="/v1/x", status=200, trace="t")
        for at in (1, 2, 3)
    ]
    for deed in (*deeds, deeds[0]):
        shelf.put_deed(deed)
    assert shelf.deeds(Slice(2)) == [deeds[2], deeds[1]]


def test_an_answer_is_remembered(shelf: Catalog) -> None:
    answer = Answer("sha", 202, {"id": "x"})
    shelf.remember("key", answer)
    assert shelf.remembered("key") == answer
    assert shelf.remembered("other") is None


def test_concurrent_writers_wait_for_each_other(shelf: Catalog) -> None:
    put(shelf, work())
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for step in range(20):
                shelf.touch(work().job, Progress(done=step, total=20, unit="page"))
                put(shelf, work(document=f"{number}{step:015d}".ljust(64, "0")))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert shelf.count_documents("c") == {"queued": 81}


def test_migrating_twice_changes_nothing(any_catalog: Any) -> None:
    from shared.catalog.database import migrate

    migrate(any_catalog._engine.url.render_as_string(hide_password=False))
    any_catalog.ping()


def test_the_migrations_make_the_tables_that_the_code_knows(any_catalog: Any) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from shared.catalog.tables import Base

    with any_catalog._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_trial_is_seen_by_those_who_ask_for_trials_and_dropped_as_it_was_put(shelf: Catalog) -> None:
    for sequence, name in ((1, "birds"), (7, "birds+trial")):
        shelf.put_deployment(sequence, DeploymentWish(name=name, model=None, base="b", wished_at="2026-01-01T00:00:00Z"))
    shelf.observe_deployment("birds+trial", "ready", None, ["http://e"], "b", "b")
    assert [one.name for one in shelf.deployments()] == ["birds"]
    assert [one.name for one in shelf.deployments(trials=True)] == ["birds", "birds+trial"]
    shelf.drop_trial("birds+trial", 6)
    assert shelf.deployment("birds+trial") is not None, "another attempt's"
    shelf.drop_trial("birds")
    shelf.drop_trial("birds+trial", 7)
    assert [one.name for one in shelf.deployments(trials=True)] == ["birds"]


def test_what_is_observed_of_one_wish_is_not_told_of_the_next(shelf: Catalog) -> None:
    wish = DeploymentWish(name="birds+trial", model=None, base="b", wished_at="2026-01-01T00:00:00Z")
    shelf.put_deployment(7, wish)
    shelf.observe_deployment("birds+trial", "failed", "no memory", sequence=6)
    pending = shelf.deployment("birds+trial")
    shelf.observe_deployment("birds+trial", "failed", "no memory", sequence=7)
    failed = shelf.deployment("birds+trial")
    assert pending is not None and failed is not None and (pending.state, failed.state) == ("pending", "failed")


def test_deployments_from_before_there_were_replicas_are_asked_where_they_were(any_catalog: Any) -> None:
    wish = DeploymentWish(
        name="birds", model=None, base="b", canary=Canary(percent=10, model="m", base="b"), wished_at="2026-01-01T00:00:00Z"
    )
    any_catalog.put_deployment(1, wish)
    any_catalog.put_deployment(1, wish.alone.model_copy(update={"name": "alone"}))
    any_catalog.observe_deployment("birds", "ready", None, ["http://127.0.0.1:1"], "b", "b")
    seen = Standing(state="ready", endpoints=("http://127.0.0.1:2",), served_model="lectern-x", serves="m")
    any_catalog.observe_canary("birds", seen)
    before = any_catalog.deployments()
    with any_catalog._engine.begin() as connection:
        step(connection, "0013", back=True)
        rows = connection.execute(text("SELECT name, endpoint FROM deployments ORDER BY name")).all()
        assert [tuple(row) for row in rows] == [("alone", None), ("birds", "http://127.0.0.1:1")]
        step(connection, "head")
    assert any_catalog.deployments() == before and before[1].canary == seen


def step(connection: Any, revision: str, back: bool = False) -> None:
    """The schema, as it was or will be."""
    from alembic import command
    from alembic.config import Config

    from shared.catalog import database

    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    (command.downgrade if back else command.upgrade)(config, revision)


def test_what_no_queue_carries_is_not_pending_and_chores_are_told_apart(any_catalog: Catalog) -> None:
    for kind in ("document", "preview", "classifier", "dataset", "run", "deployment", *CHORES):
        any_catalog.put_job(NewJob(kind, kind, "x", None, kind, Work(job=kind, trace="t"), "2026-01-01"))
    assert {job.id for job in any_catalog.pending()} == {"document", "preview", "classifier", "dataset", "run"}
    assert {job.id for job in any_catalog.chores()} == set(CHORES) == {"settings", "reindex", "forget", "tidy", "tuning"}
    any_catalog.begin_chore("tidy")
    any_catalog.finish_chore("tidy", {"attempts": 3}, "2026-01-02")
    found = any_catalog.job("tidy")
    assert found is not None and (found.state, found.result) == ("done", {"attempts": 3})
    assert "tidy" not in {job.id for job in any_catalog.chores()}


def test_a_chore_that_was_called_off_is_not_begun_and_one_that_is_let_go_was_no_attempt(any_catalog: Catalog) -> None:
    for job in ("tuning.birds.1", "tuning.birds.2"):
        any_catalog.put_job(NewJob(job, "tuning", "birds", None, "tuning", Work(job=job, trace="t"), "2026-01-01"))
    assert any_catalog.begin_chore("tuning.birds.1")
    any_catalog.let_go_chore("tuning.birds.1", 123.0, "lease-held", "the gateway is being stopped")
    found = any_catalog.work("tuning.birds.1")
    assert found is not None and (found.state, found.retry_at) == ("waiting", 123.0) and any_catalog.attempts(found.id) == 0
    any_catalog.finish_job("tuning.birds.2", "cancelled", "cancelled", "Called off by a user.", "2026-01-02")
    events = any_catalog.events("tuning.birds.2", 0)
    assert not any_catalog.begin_chore("tuning.birds.2") and not any_catalog.begin_chore("nobody")
    called_off = any_catalog.job("tuning.birds.2")
    assert called_off is not None and called_off.state == "cancelled" and any_catalog.events("tuning.birds.2", 0) == events


def test_a_receipt_marks_what_was_trained_on_the_document_and_nothing_else(any_catalog: Catalog) -> None:
    uses = Uses(
        document="d" * 64,
        datasets=(DatasetTrace(dataset="a", name="n", train=3), DatasetTrace(dataset="b", name="n", heldout=1)),
        models=(ModelTrace(model="m", run="r", trained=True), ModelTrace(model="n", run="s", trained=False)),
    )  # fmt: skip
    receipt = Receipt(document="d" * 64, forgetting=1, state="begun", uses=uses, asked_at="t", at="t")
    any_catalog.put_forgotten("d" * 64, "forgetting", "job", receipt, "t")
    any_catalog.put_forgotten("d" * 64, "forgotten", "job", receipt, "t")
    found = any_catalog.forgotten("d" * 64)
    assert found is not None and (found.state, found.receipt) == ("forgotten", receipt)
    assert any_catalog.all_forgotten(Slice()) == [found]
    assert any_catalog.saw_forgotten("model", ["m", "n", "o"]) == {"m": ("d" * 64,)}
    assert any_catalog.saw_forgotten("dataset", ["a", "b"]) == {"a": ("d" * 64,)}


def test_erasing_a_document_leaves_the_rows_of_others(any_catalog: Catalog) -> None:
    any_catalog.put_collection("shelf", ProcessingParameters(), 1, "t")
    for document in ("d" * 64, "e" * 64):
        any_catalog.put_job(NewJob(document, "document", document, "shelf", "extraction", Work(job=document, trace="t"), "t"))
        any_catalog.put_document("shelf", document, f"{document[:4]}.pdf", 1, "t", document)
        any_catalog.remember(document[:5], Answer("r", 202, {"body": {"id": document}}))
    assert any_catalog.erase_document("d" * 64) >= 4
    assert [one.id for one in any_catalog.documents(Slice())] == ["e" * 64]
    assert [one.id for one in any_catalog.jobs(Slice())] == ["e" * 64]
    assert any_catalog.events("d" * 64, 0) == [] and any_catalog.events("e" * 64, 0)
    assert any_catalog.remembered("ddddd") is None and any_catalog.remembered("eeeee") is not None
    assert any_catalog.forget_answers("9999") == 1
    assert [document for document, _ in any_catalog.stages_on("shelf")] == ["e" * 64]


def test_datasets_of_before_are_told_without_their_inputs_after_migrating(shelf: Any) -> None:
    from alembic import command
    from alembic.config import Config

    from shared.catalog import database

    inputs = tuple(DatasetInput(document=name, filename=f"{name}.pdf", screening_key="k") for name in "ab")
    shelf.put_dataset(
        DatasetWish(
            key="f" * 64, name="set", collection="c", base="b", parameters=DatasetParameters(), inputs=inputs, created_at="2026"
        )
    )
    head = shelf.dataset_head("f" * 16)
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with shelf._engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        command.upgrade(config, "head")
    assert shelf.dataset_head("f" * 16) == head
    assert shelf.dataset_inputs("f" * 16) == {"a": "a.pdf", "b": "b.pdf"}


def test_the_latest_promotion_of_a_name_counts(shelf: Catalog) -> None:
    for model in ("m-1", "m-2"):
        shelf.put_promotion(Promotion(name="m", model=model, limit=0.1, at="t"))
    shelf.put_promotion(Promotion(name="n", model="n-1", limit=0.1, at="t"))
    assert {name: one.model for name, one in shelf.promotions(["m", "none"]).items()} == {"m": "m-2"}
    assert shelf.promotions([]) == {}


def test_preference_sets_come_newest_first_and_the_latest_word_on_one_counts(any_catalog: Catalog) -> None:
    made = PreferenceSet(
        key="a" * 64, name="thumbs", version=1, source="feedback", parameters=PreferenceParameters(), pairs=2, heldout=0,
        prompts=2, files={}, created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    later = made.model_copy(update={"key": "b" * 64, "created_at": "2026-01-02T00:00:00Z"})
    for one in (made, later, made.model_copy(update={"pairs": 1})):
        any_catalog.put_preferences(one)
    assert [(one.key[0], one.pairs) for one in any_catalog.preference_sets(Slice())] == [("b", 2), ("a", 1)]
    assert any_catalog.preference_set("c" * 16) is None


def test_a_database_that_is_away_is_unavailable_and_comes_back(postgres_url: str) -> None:
    away = SqlCatalog(open_database("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(Unavailable):
        away.ping()
    engine = open_database(postgres_url)
    catalog = SqlCatalog(engine)
    catalog.ping()
    with engine.connect() as other, pytest.raises(Unavailable), catalog._write() as session:
        mine = session.scalar(text("SELECT pg_backend_pid()"))
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        session.execute(text("SELECT 1"))
    catalog.ping()
    engine.dispose()


def test_what_is_wrong_with_a_statement_is_no_outage(any_catalog: SqlCatalog) -> None:
    with pytest.raises(DBAPIError), any_catalog._read() as session:
        session.execute(text("SELECT * FROM no_such_table"))

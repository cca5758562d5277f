"""The controller on a real catalog and a real store, with simulated engines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.serving.adapters.bases import BaseCache
from services.serving.adapters.lora import AdapterCache
from services.serving.adapters.weights import ExportCache
from services.serving.controller import Controller
from services.serving.stages.plan import Row
from shared.bases import publish_base
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.engines import DraftSpeculation, NgramSpeculation
from shared.contracts.learning import Canary, DeploymentWish
from shared.contracts.views import DeploymentView
from shared.contracts.work import Work
from shared.errors import InvalidInput, LecternError, Unavailable
from shared.ids import deployment_job
from shared.kubernetes import KubernetesRefused
from shared.objects import ObjectStore
from tests.unit.serving.models import publish_export, publish_model
from tests.unit.serving.world import SimulatedEngines


class Place:
    """A catalog, a store, engines and a controller."""

    def __init__(self, store: ObjectStore, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/serving.db"
        migrate(url)
        self.database = open_database(url)
        self.catalog = SqlCatalog(self.database)
        self.store, self.tmp_path = store, tmp_path
        self.engines = SimulatedEngines()
        self.base("tiny")
        self.controller = self.another_controller()

    def base(self, name: str) -> None:
        model = self.tmp_path / name
        model.mkdir()
        (model / "config.json").write_text('{"max_position_embeddings": 8192}')
        publish_base(self.store, model, name=name, source="", licence="", architecture="", eos_token="")

    def another_controller(self) -> Controller:
        bases, adapters = BaseCache(self.store, self.tmp_path / "cache"), AdapterCache(self.store, self.tmp_path / "cache")
        exports = ExportCache(self.store, self.tmp_path / "cache")
        return Controller(self.catalog, self.engines, bases, adapters, exports)

    def wish(
        self, model: str | None, sequence: int = 1, state: str = "running", name: str = "shelf", base: str = "tiny",
        context_tokens: int = 2_048, **more: Any,
    ) -> None:  # fmt: skip
        wish = DeploymentWish(
            name=name, model=model, base=base, state=state, context_tokens=context_tokens, wished_at=now(), **more  # type: ignore[arg-type]
        )  # fmt: skip
        job = deployment_job(name, sequence)
        self.catalog.put_deployment(sequence, wish)
        self.catalog.put_job(NewJob(job, "deployment", name, None, "deployment", Work(job=job, trace="0" * 32), now()))

    def wish_again(self, wish: DeploymentWish, sequence: int) -> None:
        job = deployment_job(wish.name, sequence)
        self.catalog.put_deployment(sequence, wish)
        self.catalog.put_job(NewJob(job, "deployment", wish.name, None, "deployment", Work(job=job, trace="0" * 32), now()))

    def loaded(self) -> set[str]:
        return {adapter for engine in self.engines.engines.values() for adapter in engine.adapters}

    def settle(self) -> None:
        """Reconcile until two rounds in a row find nothing to do: an engine may become ready between them."""
        idle = 0
        for _ in range(14):
            idle = 0 if self.controller.reconcile() else idle + 1
            if idle == 2:
                return
        raise AssertionError("it never came to rest")

    def model(self, name: str = "shelf") -> str:
        model = publish_model(self.store, self.tmp_path, name=name)
        self.catalog.put_model(model)
        return model.id

    def view(self, name: str = "shelf") -> DeploymentView:
        view = self.catalog.deployment(name)
        assert view is not None
        return view

    def job_state(self, sequence: int = 1) -> tuple[str, str | None]:
        job = self.catalog.job(deployment_job("shelf", sequence))
        assert job is not None
        return job.state, job.code


REFUSALS = [(None, "not-ready"), ("beyond-limit", "beyond-limit"), ("no-gguf", "not-ready")]


@pytest.fixture
def place(store: ObjectStore, tmp_path: Path) -> Iterator[Place]:
    made = Place(store, tmp_path)
    yield made
    made.database.dispose()


def test_a_wish_becomes_a_deployment_that_answers_and_a_finished_job(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    view = place.view()
    assert (view.state, view.detail) == ("ready", None) and str(view.served_model).startswith("lectern-")
    assert place.job_state() == ("done", None)


def canary_of(place: Place, percent: int = 10) -> None:
    """A deployment that is ready, and a wish for a canary beside it."""
    place.wish(place.model("old"))
    place.settle()
    standing = place.view().wish
    canary = Canary(percent=percent, model=place.model("new"), base="tiny")
    place.wish_again(standing.model_copy(update={"canary": canary}), 2)


def test_a_canary_is_loaded_beside_what_is_served_and_its_job_ends_when_both_are_ready(place: Place) -> None:
    canary_of(place)
    before = place.view()
    while place.view().canary.state != "ready":  # type: ignore[union-attr]
        assert place.job_state(2)[0] not in {"done", "failed"}
        assert (place.view().endpoints, place.view().served_model) == (before.endpoints, before.served_model)
        place.controller.reconcile()
    place.settle()
    view = place.view()
    assert view.state == "ready" and view.canary is not None and view.wish.canary is not None
    assert (view.serves, view.canary.serves) == (view.wish.model, view.wish.canary.model)
    assert view.canary.served_model != view.served_model and place.engines.starts == 1
    assert place.job_state(2) == ("done", None)


def test_a_canary_that_fails_fails_its_job_and_leaves_what_is_served_alone(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    wish = place.view().wish.model_copy(update={"canary": Canary(percent=10, model="nothing", base="tiny")})
    place.wish_again(wish, 2)
    place.settle()
    view = place.view()
    assert view.state == "ready" and view.canary is not None and view.canary.state == "failed"
    assert place.job_state(2) == ("failed", "not-found") and "nothing" in str(view.canary.detail)


def test_a_canary_that_becomes_what_is_served_is_there_at_once_and_the_old_model_is_let_go(place: Place) -> None:
    canary_of(place)
    place.settle()
    seen, wish = place.view().canary, place.view().wish.of_canary
    assert seen is not None and wish is not None
    place.wish_again(wish, 3)
    while place.view().canary is not None:
        assert place.view().endpoints
        place.controller.reconcile()
    place.settle()
    view = place.view()
    assert (view.state, view.served_model, view.canary) == ("ready", seen.served_model, None)
    assert place.loaded() == {seen.served_model} and place.job_state(3) == ("done", None)


def test_a_canary_that_is_called_off_is_let_go_and_so_is_one_of_a_stopped_deployment(place: Place) -> None:
    canary_of(place)
    place.settle()
    standing = place.view()
    place.wish_again(standing.wish.alone, 3)
    place.settle()
    assert place.view().canary is None and place.loaded() == {standing.served_model}
    place.wish_again(standing.wish.model_copy(update={"state": "stopped"}), 4)
    place.settle()
    assert place.view().canary is None and place.engines.engines == {} and place.job_state(4) == ("done", None)
    assert place.controller.reconcile() is False


def test_a_deployment_is_ready_with_its_first_replica_and_its_job_ends_with_the_last(place: Place) -> None:
    place.engines.deaf = frozenset({1})
    place.wish(place.model(), replicas=2)
    place.settle()
    view = place.view()
    assert (view.state, view.detail) == ("ready", "1 of 2 replicas answers: loading the adapter") and len(view.endpoints) == 1
    assert place.job_state() == ("queued", None), "and one that is not there to be asked keeps nobody from the others"
    place.engines.deaf = frozenset()
    place.settle()
    assert (place.view().detail, len(place.view().endpoints), place.job_state()) == (None, 2, ("done", None))
    doing = [event.data["fields"]["doing"] for event in place.catalog.events(deployment_job("shelf", 1), after=0)
             if event.kind == "progress"]  # fmt: skip
    assert doing[-1] == "1 of 2 replicas answers: loading the adapter"


def test_a_replica_that_never_comes_fails_the_job_and_not_the_deployment(place: Place) -> None:
    place.engines.broken = frozenset({1})
    place.wish(place.model(), replicas=2)
    place.settle()
    view = place.view()
    assert (view.state, len(view.endpoints), place.job_state()) == ("ready", 1, ("failed", "engine-failed"))
    assert "1 of 2 replicas answers: the engine stopped (out of memory)" in str(view.detail)


def test_replicas_come_and_go_and_nothing_is_restarted(place: Place) -> None:
    model = place.model()
    place.wish(model)
    place.settle()
    first = place.view().endpoints
    for sequence, replicas in ((2, 3), (3, 1)):
        place.wish(model, sequence=sequence, replicas=replicas)
        place.settle()
        assert place.view().endpoints[:1] == first and len(place.view().endpoints) == replicas
        assert len(place.engines.engines) == replicas and place.job_state(sequence) == ("done", None)
    assert place.engines.starts == 3


def test_what_befalls_a_replica_later_is_told_by_the_deployment_and_not_by_its_job(place: Place) -> None:
    place.wish(place.model(), replicas=2)
    place.settle()
    before = place.catalog.events(deployment_job("shelf", 1), after=0)
    place.engines.die(next(iter(place.engines.engines)))
    place.controller.reconcile()
    assert "1 of 2 replicas answers" in str(place.view().detail) and len(place.view().endpoints) == 1
    place.settle()
    assert len(place.view().endpoints) == 2 and len(place.loaded()) == 1
    assert place.catalog.events(deployment_job("shelf", 1), after=0) == before


def test_a_canary_has_replicas_of_its_own(place: Place) -> None:
    export, model = publish_export(place.store, place.tmp_path), place.model()
    place.wish(model)
    place.settle()
    canary = Canary(percent=10, model=model, base="tiny", variant="merged", export=export, replicas=2)
    place.wish_again(place.view().wish.model_copy(update={"canary": canary}), 2)
    place.settle()
    view = place.view()
    assert view.canary is not None and (len(view.endpoints), len(view.canary.endpoints)) == (1, 2)
    assert place.job_state(2) == ("done", None)


def test_a_job_is_finished_only_after_its_row_tells_the_same(place: Place) -> None:
    place.wish(None)
    while place.view().state != "ready":
        assert place.job_state()[0] not in {"done", "failed"}
        place.controller.reconcile()
    place.settle()
    assert place.job_state()[0] == "done"


def test_a_model_nobody_knows_fails_with_what_to_do(place: Place) -> None:
    place.wish("nothing")
    place.settle()
    assert place.view().state == "failed" and "nothing" in str(place.view().detail)
    assert place.job_state() == ("failed", "not-found")


def test_where_no_engine_can_run_it_is_said_before_anything_is_fetched(place: Place) -> None:
    place.engines.impossible = "vLLM runs on Linux alone"
    place.wish(place.model())
    place.settle()
    assert place.view().state == "failed" and place.view().detail == "vLLM runs on Linux alone"
    assert place.job_state() == ("failed", "unsupported") and place.engines.starts == 0
    assert not (place.tmp_path / "cache").exists(), "neither base nor adapter"


def test_a_base_nobody_published_fails_with_what_to_do(place: Place) -> None:
    place.wish(None, base="unheard-of")
    place.settle()
    assert place.job_state() == ("failed", "not-found") and place.engines.starts == 0


def test_a_context_too_long_for_the_base_fails_alone_and_not_its_neighbours(place: Place) -> None:
    place.wish(None, name="neighbour")
    place.wish(place.model(), context_tokens=100_000)
    place.settle()
    assert place.job_state() == ("failed", "invalid-input") and "8192" in str(place.view().detail)
    assert place.view("neighbour").state == "ready" and place.engines.starts == 1


def test_a_draft_model_with_another_vocabulary_fails_before_any_engine_is_started(place: Place) -> None:
    for name, tokens in (("same", {"a": 0, "b": 1}), ("other", {"a": 0, "c": 1}), ("target", {"a": 0, "b": 1})):
        directory = place.tmp_path / name
        directory.mkdir()
        (directory / "tokenizer.json").write_text(json.dumps({"model": {"vocab": tokens}, "added_tokens": []}))
        publish_base(place.store, directory, name=name, source="", licence="", architecture="", eos_token="")
    wish = DeploymentWish(name="shelf", model=None, base="target", wished_at=now())
    place.wish_again(wish.model_copy(update={"speculation": DraftSpeculation(model="other")}), 1)
    place.settle()
    assert place.job_state() == ("failed", "invalid-input") and "vocabulary" in str(place.view().detail)
    assert place.engines.starts == 0
    place.wish_again(wish.model_copy(update={"speculation": DraftSpeculation(model="same")}), 2)
    place.settle()
    assert place.view().state == "ready"


def test_a_refused_adapter_fails_the_job_with_the_engines_reason(place: Place) -> None:
    model = place.model()
    place.engines.refuses = frozenset({f"lectern-{place.catalog.model(model).adapter_digest[:16]}"})  # type: ignore[union-attr]
    place.wish(model)
    place.settle()
    assert place.job_state() == ("failed", "adapter-refused")


def test_the_next_wish_replaces_the_failed_one(place: Place) -> None:
    place.wish("nothing")
    place.settle()
    place.wish(place.model(), sequence=2)
    place.settle()
    assert place.view().state == "ready"
    assert (place.job_state(1)[0], place.job_state(2)[0]) == ("failed", "done")


def test_a_published_export_is_served_by_an_engine_of_its_own(place: Place) -> None:
    key, model = publish_export(place.store, place.tmp_path), place.model()
    place.wish(model, variant="merged", export=key)
    place.wish(model, name="neighbour")
    place.settle()
    assert place.view().state == "ready" and place.view().served_model == f"export:{key[:16]}"
    assert place.view("neighbour").state == "ready" and place.view("neighbour").endpoints != place.view().endpoints
    assert sorted(engine.spec.lora_rank for engine in place.engines.engines.values()) == [0, 16]


@pytest.mark.parametrize(
    ("rejected", "code"), [(None, "not-ready"), ("beyond-limit", "beyond-limit"), ("no-gguf", "not-ready")]
)
def test_an_export_that_was_not_published_fails_with_what_to_do_and_starts_nothing(
    place: Place, rejected: str | None, code: str
) -> None:
    key = publish_export(place.store, place.tmp_path, rejected=rejected) if rejected else "f" * 64
    place.wish(place.model(), variant="gguf-q8_0", export=key)
    place.settle()
    assert place.job_state() == ("failed", code) and place.engines.starts == 0
    assert rejected == "beyond-limit" or "lectern export" in str(place.view().detail)


def test_a_deployment_goes_from_adapter_to_export_and_back_without_a_gap(place: Place) -> None:
    key, model = publish_export(place.store, place.tmp_path), place.model()
    place.wish(model)
    place.settle()
    for sequence, more in ((2, {"variant": "merged", "export": key}), (3, {})):
        place.wish(model, sequence=sequence, **more)
        while place.view().state != "ready":
            before = place.view()
            assert before.endpoints and place.engines.serves(Row("ready", None, before.endpoints, before.served_model))
            place.controller.reconcile()
        place.settle()
        assert len(place.engines.engines) == 1
    assert str(place.view().served_model).startswith("lectern-")


def test_an_engine_that_still_answers_is_stopped_only_when_it_has_ended(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    place.engines.busy = True
    place.wish(None, sequence=2, state="stopped")
    assert place.controller.reconcile() is True, "the row is withdrawn"
    assert place.controller.reconcile() is False and len(place.engines.engines) == 1, "it waits, and does not spin"
    place.engines.busy = False
    place.settle()
    assert place.engines.engines == {}


@pytest.mark.parametrize("error", [KubernetesRefused("may not DELETE deployments"), InvalidInput("no"), Unavailable("away")])
def test_an_action_that_is_refused_does_not_keep_the_rest_of_the_round_from_being_done(
    error: LecternError, place: Place
) -> None:
    place.base("other")
    for name, base in (("first", "tiny"), ("second", "other")):
        place.wish(None, name=name, base=base)
    place.settle()
    place.engines.refuse = {"tiny": error}
    for name, base in (("first", "tiny"), ("second", "other")):
        place.wish(None, name=name, base=base, sequence=2, state="stopped")
    place.settle()
    assert [seat.engine.base for seat in place.engines.engines] == ["tiny"], "it is asked again, and the other is gone"
    assert place.view("first").state == place.view("second").state == "stopped"
    place.engines.refuse = {}
    place.settle()
    assert place.engines.engines == {}


def test_an_adapter_that_the_engine_will_not_unload_keeps_no_other_from_being_loaded(place: Place) -> None:
    place.wish(place.model("old"))
    place.settle()
    place.engines.refuse = {"tiny": InvalidInput("the engine refuses it: no such adapter")}
    place.wish(place.model("new"), sequence=2)
    place.settle()
    place.base("other")
    place.wish(None, name="neighbour", base="other")
    place.settle()
    assert len(place.loaded()) == 2 and place.job_state(2) == ("done", None)
    assert place.view("neighbour").state == "ready"


def test_a_base_that_takes_no_adapters_is_served_alone_or_merged(place: Place) -> None:
    config = place.tmp_path / "recurrent"
    config.mkdir()
    (config / "config.json").write_text('{"model_type": "mamba2"}')
    publish_base(place.store, config, name="recurrent", source="", licence="", architecture="", eos_token="")
    place.wish(place.model(), base="recurrent")
    place.wish(None, name="alone", base="recurrent")
    place.wish(
        place.model(), name="merged", base="recurrent", variant="merged", export=publish_export(place.store, place.tmp_path)
    )
    place.settle()
    assert place.job_state() == ("failed", "unsupported") and "--variant merged" in str(place.view().detail)
    assert place.view("alone").state == place.view("merged").state == "ready"
    assert [engine.spec.lora_rank for engine in place.engines.engines.values()] == [0, 0]


def test_a_stopped_wish_ends_the_engine_and_is_a_finished_job(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    place.wish(None, sequence=2, state="stopped")
    place.settle()
    assert place.view().state == "stopped" and place.view().endpoints == ()
    assert place.engines.engines == {} and place.job_state(2) == ("done", None)


def test_a_controller_that_died_before_the_job_was_finished_is_made_good_by_the_next(place: Place) -> None:
    place.wish(None)
    while place.view().state != "ready":
        place.controller.reconcile()
    place.controller = place.another_controller()
    place.settle()
    assert place.job_state() == ("done", None)


def test_what_is_seen_of_one_wish_is_not_marked_on_the_next(place: Place) -> None:
    """A tuning puts one trial up after another under one name, and may do so in the middle of a look."""
    place.wish(None)
    mark = place.controller._mark

    def mark_late(*of: Any) -> None:
        place.wish(None, sequence=2)
        mark(*of)

    place.controller._mark = mark_late  # type: ignore[method-assign]
    place.controller.reconcile()
    assert (place.view().sequence, place.view().state) == (2, "pending")
    place.controller._mark = mark  # type: ignore[method-assign]
    place.settle()
    assert place.view().state == "ready" and place.job_state(2) == ("done", None)


def test_those_who_watch_the_job_see_what_is_being_done(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    events = place.catalog.events(deployment_job("shelf", 1), after=0)
    doing = [event.data["fields"]["doing"] for event in events if event.kind == "progress"]
    assert doing == ["starting the engine", "loading the adapter"]


def test_a_world_at_rest_is_not_written_to(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    before = place.view()
    assert place.controller.reconcile() is False and place.view() == before


def test_a_trial_is_brought_up_beside_what_is_served_and_let_go_when_its_row_is_gone(place: Place) -> None:
    place.wish(place.model())
    place.settle()
    before = place.view()
    trial = before.wish.model_copy(update={"name": "shelf+trial", "speculation": NgramSpeculation()})
    place.catalog.put_deployment(4711, trial)
    place.settle()
    view = place.view("shelf+trial")
    assert view.state == "ready" and view.served_model == before.served_model and view.endpoints != before.endpoints
    assert len(place.engines.engines) == 2
    place.catalog.drop_trial("shelf+trial", 4711)
    place.settle()
    assert len(place.engines.engines) == 1 and place.view() == before

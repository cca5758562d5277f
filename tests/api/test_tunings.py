"""Tunings of a deployment over REST: asked for, carried out beside what is served, reported, put to use, and cleared away."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from services.gateway.chores.kinds import TUNING_ATTEMPTS, tunings
from services.gateway.settings import GatewaySettings
from services.gateway.trials.tuning import LEASE, Tunings
from services.gateway.trials.wishes import ask_tuning
from shared import layout
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.engines import NgramSpeculation
from shared.contracts.exports import ExportParameters, ExportWish
from shared.contracts.learning import DatasetParameters, DatasetWish, DeploymentWish, EvaluationResult, Example, Model, Score
from shared.contracts.tunings import TuningParameters, TuningPrompt, TuningReport, TuningWish
from shared.contracts.work import ChoreWork, Manifest
from shared.objects import ObjectStore, Series, create_contract, read_contract
from shared.reindex import reindex
from tests.api.conftest import BASE, Gateway
from tests.api.test_web import sign_in, token
from tests.api.tried_engine import Serving, TriedEngines, served_by
from tests.servers import wait_until

PATH = "/v1/deployments/papers/tunings"
GIVEN = {"prompts": [{"prompt": "What does the gauge read?"}, {"prompt": "The gauge", "mode": "completion"}], "concurrency": 2}


@pytest.fixture
def engines() -> TriedEngines:
    return TriedEngines()


@pytest.fixture
def serving(gateway: Gateway, base: str, engines: TriedEngines) -> Iterator[Serving]:
    """A tuned model deployed as `papers`, and whatever a tuning tries."""
    score = Score(loss=1, perplexity=2, tokens=3, examples=4)
    model = Model(
        id="papers-abc", name="papers", run="0" * 16, dataset="d" * 16, base=base, adapter_key="k", adapter_digest="d",
        template="alpaca", evaluation=EvaluationResult(base=score, tuned=score), created_at=now(),
    )  # fmt: skip
    gateway.catalog.put_model(model)
    with served_by(gateway.catalog, engines) as serving:
        deploy(gateway)
        yield serving


def deploy(gateway: Gateway, **more: Any) -> None:
    wish = DeploymentWish(name="papers", model="papers-abc", base=BASE, wished_at=now(), **more)
    gateway.parts.records.wish_deployment(wish)
    wait_until(lambda: gateway.catalog.deployment("papers").state == "ready", "papers")  # type: ignore[union-attr]


def give_feedback(client: httpx.Client, *prompts: str) -> None:
    for prompt in prompts:
        body = {"model": "papers-abc", "prompt": prompt, "answer": "low", "rating": "up"}
        assert client.post("/v1/feedback", json=body).status_code == 201


def hold_out(gateway: Gateway, tmp_path: Path, *instructions: str) -> None:
    """A dataset of the model's, with these examples held out."""
    key = "d" * 64
    wish = DatasetWish(
        key=key, name="papers", collection="c", base=BASE, parameters=DatasetParameters(), inputs=(), created_at=now()
    )
    gateway.catalog.put_dataset(wish)
    lines = [
        Example(id=str(at), instruction=one, input="", output="o", recipe="r", chunk="c", document="e" * 64, filename="f")
        for at, one in enumerate(instructions)
    ]  # fmt: skip
    file = tmp_path / "heldout.jsonl"
    file.write_text("".join(one.model_dump_json() + "\n" for one in lines))
    files = {"heldout.jsonl": gateway.store.upload("stages/dataset/heldout", file)}
    manifest = Manifest(
        stage="dataset", stage_version=1, key=key, work={}, files=files, started_at=now(), finished_at=now(), seconds=1
    )
    create_contract(gateway.store, layout.manifest("dataset", key), manifest)


def tune(gateway: Gateway, client: httpx.Client, asked: Any = GIVEN, state: str = "done") -> dict[str, Any]:
    """A tuning from its wish to its end."""
    answer = client.post(PATH, json=asked)
    assert answer.status_code == 202, answer.text
    job = gateway.await_job(answer)
    assert job.state == state, job
    told: dict[str, Any] = client.get(answer.headers["Location"]).json()
    return told


def ask_unheard(gateway: Gateway) -> str:
    """A tuning that the gateway's own loop is not woken for: what is done about it is the test's. Returns its job."""
    unheard = replace(gateway.parts, tuning_woken=Event())
    prompts = [TuningPrompt.model_validate(one) for one in GIVEN["prompts"]]  # type: ignore[attr-defined]
    return ask_tuning(unheard, "papers", TuningParameters(concurrency=2), prompts).job


def rebuilt(gateway: Gateway, tmp_path: Path) -> SqlCatalog:
    """A catalog of what the store holds."""
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    again = SqlCatalog(open_database(url))
    reindex(gateway.store, again)
    return again


def trials(told: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in told["report"]["trials"]}


def leftovers(gateway: Gateway) -> list[str]:
    """Trials that are up, and prompts that are kept."""
    views = gateway.catalog.deployments(trials=True)
    return [*(view.name for view in views if "+" in view.name), *gateway.store.list("uploads")]


def test_the_fastest_setting_with_the_same_answers_becomes_the_wish_and_a_rollback_undoes_it(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.tokens |= {"ngram-4": 1_000_000, "ngram-8": 10_000}
    engines.parts.add("ngram-4")
    told = tune(gateway, client)
    report = told["report"]
    assert trials(told) == {
        "plain": "plain", "n-grams of 2 to 4, 4 guesses": "answers-part", "n-grams of 2 to 4, 8 guesses": "faster",
        "n-grams of 2 to 4, 8 guesses, max_concurrent_requests=1": "not-faster", "plain, again": "plain",
    }  # fmt: skip
    assert serving.tried[0] == serving.tried[-1] == "plain" and serving.most_trials == 1, "one at a time"
    assert report["kept"]["speculation"]["tokens"] == 8 and report["changes"] and report["prompts"]["given"] == 2
    apart = report["trials"][1]["answers"]
    assert (apart["same"], apart["gaps"], apart["beyond"]) == (0, [2.4, 2.4], 2) and report["near_tie_nats"] == 0.25
    assert report["trials"][2]["acceptance"] == 0.6
    view = client.get("/v1/deployments/papers").json()
    assert view["wish"]["speculation"] == report["kept"]["speculation"] and view["wish"]["model"] == "papers-abc"
    assert client.post("/v1/deployments/papers/rollback").json()["wish"]["speculation"] is None
    assert leftovers(gateway) == []
    assert not any(name.startswith("papers+") for name in (path.split("/")[1] for path in gateway.store.list("deployments")))


def test_prompts_are_asked_as_clients_ask_with_the_models_template_and_nothing_of_them_is_kept(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    told = tune(gateway, client)
    assert {(one["path"].partition("/v1")[2], "chat_template" in one) for one in engines.asked} == {
        ("/chat/completions", True), ("/completions", False),
    }  # fmt: skip
    assert {one["temperature"] for one in engines.asked} == {0} and {one["max_tokens"] for one in engines.asked} == {64}
    salted = [(json.dumps([one.get("messages"), one.get("prompt")]), one["cache_salt"]) for one in engines.asked]
    assert len(set(salted)) == len(salted), "nothing is asked twice on one cache, not even by the plain setting's second trial"
    kept = [path for path in gateway.store.list("") if b"gauge" in gateway.store.read(path)]
    assert kept == [] and "gauge" not in json.dumps(told)


def test_where_nothing_is_faster_plain_is_kept_and_nothing_is_wished_for(
    gateway: Gateway, client: httpx.Client, serving: Serving
) -> None:
    before = client.get("/v1/deployments/papers").json()["sequence"]
    told = tune(gateway, client)
    assert told["report"]["kept_name"] == "plain" and not told["report"]["changes"]
    assert client.get("/v1/deployments/papers").json()["sequence"] == before


def test_a_setting_that_does_not_come_up_is_told_and_the_others_are_tried(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    serving.fails["draft-3"] = "small has another vocabulary"
    told = tune(gateway, client, {**GIVEN, "draft": BASE})
    failed = next(one for one in told["report"]["trials"] if one["verdict"] == "failed")
    assert failed["problem"] == "small has another vocabulary" and trials(told)["plain, again"] == "plain"


def test_where_plain_cannot_be_measured_again_the_rest_is_reported_and_nothing_changes(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.tokens["ngram-4"] = 1_000_000
    engines.waits.set()
    answer = client.post(PATH, json=GIVEN)
    wait_until(lambda: any(one.get("stream") for one in engines.asked), "the first trial to be measured")
    serving.fails["plain"] = "no memory"
    engines.waits.clear()
    job = gateway.await_job(answer)
    report = client.get(answer.headers["Location"]).json()["report"]
    assert (job.state, job.result) == ("done", {"tried": len(report["trials"]) - 1, "put_to_use": 0})
    assert report["trials"][1]["verdict"] == "faster" and report["trials"][-1]["problem"] == "no memory"
    assert not report["changes"] and report["kept_name"] == "plain" and "no memory" in report["reason"]


def test_a_report_that_stands_already_is_the_one_that_is_put_to_use(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    """Where another gateway, which was thought dead, was done first."""
    first = tune(gateway, client)["report"]
    engines.tokens["ngram-4"] = 1_000_000
    engines.waits.set()
    before = len(engines.asked)
    answer = client.post(PATH, json=GIVEN)
    wait_until(lambda: len(engines.asked) > before, "the first trial to be measured")
    standing = TuningReport.model_validate(first).model_copy(update={"reason": "another's"})
    assert create_contract(gateway.store, layout.tuning_report("papers", 2), standing)
    engines.waits.clear()
    job = gateway.await_job(answer)
    assert job.result == {"tried": len(standing.trials) - 1, "put_to_use": 0}
    assert client.get("/v1/deployments/papers").json()["wish"]["speculation"] is None


def test_recorded_prompts_are_feedback_filled_up_with_what_was_held_out(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines, tmp_path: Path
) -> None:
    give_feedback(client, "How high?", "How high?", "How long?")
    hold_out(gateway, tmp_path, *(f"Question {at}" for at in range(20)))
    engines.too_long = {"How long?"}
    told = tune(gateway, client, {"sample": 5, "concurrency": 1})
    assert {name: told["report"]["prompts"][name] for name in ("given", "feedback", "heldout", "too_long")} == {
        "given": 0, "feedback": 2, "heldout": 3, "too_long": 1,
    }  # fmt: skip
    asked = {one["messages"][0]["content"] for one in engines.asked if one.get("stream")}
    assert len(asked) == 4 and "How high?" in asked and told["report"]["trials"][0]["together"] is None


def test_no_prompts_and_prompts_that_are_none_are_refused_at_once(client: httpx.Client, serving: Serving) -> None:
    refused = client.post(PATH, json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "no-prompts") and "--prompts" in refused.json()["detail"]
    for bad in (
        {"prompts": [{"prompt": ""}]}, {"prompts": [{"prompt": "x" * 8_001}]}, {"prompts": [{"prompt": "p"}] * 65},
        {"prompts": [{"prompt": "p", "mode": "song"}]}, {"concurrency": 0}, {"concurrency": 65}, {"draft": "No Base"},
    ):  # fmt: skip
        assert client.post(PATH, json=bad).status_code == 422, bad
    assert client.post(PATH, json={**GIVEN, "draft": "nobody"}).status_code == 404


def test_a_given_prompt_that_is_too_long_ends_the_tuning_with_what_to_do(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.too_long = {"The gauge"}
    told = tune(gateway, client, state="dead")
    assert told["code"] == "prompt-too-long" and "prompt 2" in told["detail"] and "longer context" in told["detail"]
    assert told["report"] is None and leftovers(gateway) == []
    refused = client.post(f"/v1/jobs/{told['job']}/retry")
    assert refused.status_code == 409 and "--tune" in refused.json()["detail"]


def test_a_plain_setting_that_cannot_be_measured_ends_it(gateway: Gateway, client: httpx.Client, serving: Serving) -> None:
    serving.fails["plain"] = "no memory"
    told = tune(gateway, client, state="dead")
    assert told["code"] == "plain-failed" and "no memory" in told["detail"] and leftovers(gateway) == []


def test_what_cannot_be_tuned_is_refused_with_what_to_do(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    assert client.post("/v1/deployments/nobody/tunings", json=GIVEN).status_code == 404
    client.post("/v1/deployments", json={"name": "papers", "base": BASE, "canary_percent": 10})
    canary = client.post(PATH, json=GIVEN)
    assert canary.status_code == 409 and "finish-canary" in canary.json()["detail"]
    client.post("/v1/deployments/papers/rollback")
    wait_until(lambda: client.get("/v1/deployments/papers").json()["state"] == "ready", "papers")
    engines.waits.set()
    first = client.post(PATH, json=GIVEN)
    second = client.post(PATH, json=GIVEN)
    assert second.status_code == 409 and first.json()["job"] in second.json()["detail"]
    client.delete(f"/v1/jobs/{first.json()['job']}")
    engines.waits.clear()
    gateway.await_job(first)
    client.delete("/v1/deployments/papers")
    stopped = client.post(PATH, json=GIVEN)
    assert stopped.status_code == 409 and "stopped" in stopped.json()["detail"]


def test_a_deployment_that_is_not_ready_is_not_tuned(gateway: Gateway, client: httpx.Client, serving: Serving) -> None:
    serving.fails["ngram-2"] = "no memory"
    wish = DeploymentWish(name="papers", model="papers-abc", base=BASE, wished_at=now(), speculation=NgramSpeculation(tokens=2))
    gateway.parts.records.wish_deployment(wish)
    wait_until(lambda: gateway.catalog.deployment("papers").state == "failed", "papers")  # type: ignore[union-attr]
    refused = client.post(PATH, json=GIVEN)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-ready") and "no memory" in refused.json()["detail"]


def test_a_gguf_is_tried_without_guesses_and_a_draft_model_for_it_is_refused(
    gateway: Gateway, client: httpx.Client, serving: Serving
) -> None:
    export = ExportWish(key="e" * 64, model="papers-abc", parameters=ExportParameters(variant="gguf-q8_0"), created_at=now())
    deploy(gateway, variant="gguf-q8_0", export=export.key)
    refused = client.post(PATH, json={**GIVEN, "draft": BASE})
    assert (refused.status_code, refused.json()["code"]) == (501, "unsupported")
    assert list(trials(tune(gateway, client))) == [
        "plain", "max_concurrent_requests=1", "max_concurrent_requests=2", "plain, again",
    ]  # fmt: skip


def test_trials_are_no_models_for_clients_and_stand_in_no_list(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.waits.set()
    job = client.post(PATH, json=GIVEN).json()["job"]
    wait_until(lambda: any(one.get("stream") for one in engines.asked), "the first trial to be measured")
    assert [one["name"] for one in client.get("/v1/deployments").json()["items"]] == ["papers"]
    assert not any("+" in one["id"] for one in client.get("/v1/models").json()["data"])
    body = {"model": "papers+trial", "prompt": "p"}
    assert client.post("/v1/completions", json=body).status_code == 404
    found = client.get(f"/v1/jobs/{job}").json()
    assert found["state"] == "running" and found["progress"]["fields"]["trying"] == "plain"
    assert client.delete(f"/v1/jobs/{job}").status_code == 202
    engines.waits.clear()
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled", job)
    assert leftovers(gateway) == [] and client.get(f"{PATH}/latest").json()["state"] == "cancelled"


def test_a_tuning_of_a_killed_gateway_is_begun_again_and_its_leftovers_go(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, gateway: Gateway, client: httpx.Client,
    serving: Serving, engines: TriedEngines,
) -> None:  # fmt: skip
    """What a kill leaves: a job that is running, a trial that is up, and prompts that are kept."""
    job = ask_unheard(gateway)
    left = DeploymentWish(name="papers+trial", model="papers-abc", base=BASE, wished_at=now())
    gateway.catalog.put_deployment(1, left)
    gateway.catalog.begin_chore(job)
    other = make_gateway(gateway_settings, gateway.store)
    other.parts.tuning_woken.set()
    wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", job)
    assert leftovers(gateway) == [] and client.get(f"{PATH}/latest").json()["report"]["kept_name"] == "plain"


def test_a_gateway_that_is_stopped_lets_its_tuning_go_for_the_next(
    gateway: Gateway, client: httpx.Client, serving: Serving
) -> None:
    stopped = Event()
    stopped.set()
    job = ask_unheard(gateway)
    assert tunings(gateway.parts, stopped).sweep() == 1
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "waiting" and leftovers(gateway) == [f"uploads/{job}.jsonl"]
    assert gateway.catalog.attempts(job) == 0, "it was no attempt"


def test_a_tuning_waits_for_another_queued_and_at_no_cost(gateway: Gateway, client: httpx.Client, serving: Serving) -> None:
    job = ask_unheard(gateway)
    with gateway.parts.leases.hold(LEASE):
        assert tunings(gateway.parts, Event()).sweep() == 0
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "queued" and gateway.catalog.attempts(job) == 0


def test_a_tuning_that_is_called_off_while_it_waits_is_not_begun_and_leaves_no_prompts(
    gateway: Gateway, client: httpx.Client, serving: Serving
) -> None:
    """As seen by a loop that looked before, and was at another tuning meanwhile."""
    job, loop = ask_unheard(gateway), tunings(gateway.parts, Event())
    seen = gateway.catalog.chores()
    assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled" and leftovers(gateway) == []
    assert [loop._take(one) for one in seen] == [False]
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled" and serving.tried == []


def test_a_tuning_that_breaks_is_tried_again_and_its_end_is_a_fact(
    gateway: Gateway, client: httpx.Client, serving: Serving, tmp_path: Path
) -> None:
    """By what nobody foresaw: prompts that are none."""
    job = ask_unheard(gateway)
    gateway.store.delete(layout.tuning_prompts(job))
    gateway.store.create(layout.tuning_prompts(job), b"no prompts\n")
    loop = tunings(gateway.parts, Event())
    for attempt in range(1, TUNING_ATTEMPTS + 1):
        assert loop._take(next(iter(gateway.catalog.chores()))) and gateway.catalog.attempts(job) == attempt
    found = client.get(f"/v1/jobs/{job}").json()
    assert (found["state"], found["code"]) == ("dead", "internal") and leftovers(gateway) == []
    again = rebuilt(gateway, tmp_path).job(job)
    assert again is not None and (again.state, again.code) == ("dead", "internal")


def test_an_engine_that_answers_without_an_answer_is_lost(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.mute.add("ngram-4")
    told = tune(gateway, client)
    failed = next(one for one in told["report"]["trials"] if one["verdict"] == "failed")
    assert failed["name"].startswith("n-grams") and "did not answer" in failed["problem"]


def test_a_trial_that_no_tuning_is_at_is_removed(gateway: Gateway, client: httpx.Client, serving: Serving) -> None:
    gateway.catalog.put_deployment(1, DeploymentWish(name="papers+trial", model=None, base=BASE, wished_at=now()))
    gateway.parts.tuning_woken.set()
    wait_until(lambda: leftovers(gateway) == [], "the trial to go")
    assert [view.name for view in gateway.catalog.deployments(trials=True)] == ["papers"]


def test_a_trial_that_is_put_up_while_others_are_cleared_away_stays(gateway: Gateway, serving: Serving) -> None:
    class Busy:
        """The catalog, in which a tuning is begun once it was looked into."""

        def __getattr__(self, name: str) -> Any:
            return getattr(gateway.catalog, name)

        def chores(self) -> Any:
            return self._then(gateway.catalog.chores())

        def deployments(self, trials: bool) -> Any:
            return self._then(gateway.catalog.deployments(trials))

        def _then(self, found: Any) -> Any:
            if gateway.catalog.job("tuning.papers.1") is None:
                ask_unheard(gateway)
                wish = DeploymentWish(name="papers+trial", model=None, base=BASE, wished_at=now())
                gateway.catalog.put_deployment(1, wish)
            return found

    Tunings(replace(gateway.parts, catalog=Busy()), Event()).clear()  # type: ignore[arg-type]
    assert gateway.catalog.deployment("papers+trial") is not None
    gateway.catalog.drop_trial("papers+trial")


def test_a_deployment_that_was_changed_meanwhile_is_left_as_it_is(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.tokens["ngram-4"] = 1_000_000
    engines.waits.set()
    answer = client.post(PATH, json=GIVEN)
    client.post("/v1/deployments", json={"name": "papers", "base": BASE})
    engines.waits.clear()
    job = gateway.await_job(answer)
    assert job.result is not None and job.result["put_to_use"] == 0
    assert client.get("/v1/deployments/papers").json()["wish"]["speculation"] is None


@pytest.mark.parametrize("indexed", [False, True])
def test_a_gateway_killed_between_the_wish_and_the_jobs_end_is_finished_by_the_next(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines, indexed: bool
) -> None:
    """Which dies after it wrote the wish down, or after it told the catalog too."""
    engines.tokens["ngram-4"] = 1_000_000
    told = tune(gateway, client)
    tuned = client.get("/v1/deployments/papers").json()
    before = read_contract(gateway.store, layout.entry(layout.deployment("papers"), 1), DeploymentWish)
    assert tuned["sequence"] == 2 and before is not None
    if not indexed:
        gateway.catalog.put_deployment(1, before)
    work = ChoreWork(job=told["job"], trace="t", chore="tuning", subject="papers", number=1)
    gateway.catalog.put_job(NewJob(told["job"], "tuning", "papers", None, "tuning", work, now()), anew=True)
    gateway.parts.tuning_woken.set()
    wait_until(lambda: gateway.catalog.job(told["job"]).state == "done", "it to be finished")  # type: ignore[union-attr]
    assert gateway.catalog.job(told["job"]).result["put_to_use"] == 1  # type: ignore[union-attr, index]
    again = client.get("/v1/deployments/papers").json()
    assert again["sequence"] == 2 and again["wish"] == tuned["wish"]


def test_reports_and_ends_survive_a_lost_catalog_and_what_was_unfinished_is_begun_again(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines, tmp_path: Path
) -> None:
    first = tune(gateway, client)
    engines.too_long = {"The gauge"}
    second = tune(gateway, client, state="dead")
    wish = TuningWish.model_validate(first["wish"])
    number = Series(gateway.store, layout.tunings("papers")).append(wish)
    again = rebuilt(gateway, tmp_path)
    states = {one: job.state for one in (1, 2, number) if (job := again.job(f"tuning.papers.{one}")) is not None}
    assert states == {1: "done", 2: "dead", 3: "queued"} and again.job(second["job"]).code == "prompt-too-long"  # type: ignore[union-attr]
    assert [view.name for view in again.deployments(trials=True)] == ["papers"]
    listed = client.get(PATH).json()["items"]
    assert [one["number"] for one in listed] == [3, 2, 1] and listed[2] == first


def test_a_viewer_sees_reports_and_asks_for_none(gateway: Gateway, client: httpx.Client, serving: Serving) -> None:
    with gateway.client("read") as viewer:
        assert viewer.post(PATH, json=GIVEN).status_code == 403
        assert viewer.get(f"{PATH}/latest").status_code == 404
        tune(gateway, client)
        assert viewer.get(f"{PATH}/latest").json()["number"] == 1 and viewer.get(f"{PATH}/2").status_code == 404


def test_an_old_report_is_read_as_it_was_written(store: ObjectStore) -> None:
    """What version 1 wrote."""
    told = (
        '{"schema_version":1,"deployment":"papers","model":null,"base":"b","variant":"adapter","parameters":{},"prompts":'
        '{"given":1},"near_tie_nats":0.25,"trials":[{"name":"plain","setting":{},"verdict":"plain"}],"kept":{},"kept_name":'
        '"plain","reason":"r","changes":false,"begun_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"}'
    )
    store.create(layout.tuning_report("papers", 1), told.encode())
    assert TuningReport.model_validate_json(store.read(layout.tuning_report("papers", 1))).trials[0].setting.speculation is None


def test_operate_shows_the_latest_tuning_and_asks_for_one(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines
) -> None:
    engines.tokens["ngram-4"] = 1_000_000
    serving.fails["ngram-8"] = "no <b>memory</b>"
    give_feedback(client, "How high?")
    browser = sign_in(gateway, "write")
    assert "Try its settings" in browser.get("/operate").text
    posted = {"csrf": token(browser), "deployment": "papers", "concurrency": "2"}
    assert browser.post("/operate/tunings", data=posted).status_code == 303
    wait_until(lambda: client.get(f"{PATH}/latest").json()["state"] == "done", "the tuning")
    shown = browser.get("/operate").text
    assert "n-grams of 2 to 4, 4 guesses" in shown and "1 from feedback" in shown and "Kept: <b>" in shown
    assert "no &lt;b&gt;memory" in shown
    assert browser.post("/operate/tunings", data={**posted, "concurrency": "many"}).status_code == 422
    assert browser.post("/operate/tunings", data={**posted, "deployment": "../nobody"}).status_code == 404
    assert "Try its settings" not in sign_in(gateway, "read").get("/operate").text

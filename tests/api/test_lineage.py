"""Runs that start from a tuned model: what they inherit, why one is refused, and that everything that follows a model back to
its documents follows it through the models before it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bases import publish_base
from shared.catalog.protocol import Slice
from shared.contracts.learning import EvaluationResult, RunWish
from shared.reindex import reindex
from shared.stage import StageContext
from tests.api.conftest import BASE, PDF, Gateway, held_out
from tests.api.shelved import Authors, dataset_of_shelf, model_of
from tests.api.test_commands import run as run_of_commands
from tests.api.test_web import sign_in, token
from tests.servers import wait_until

run = run_of_commands


class Rememberers(Authors):
    """Authors whose models are measured on every dataset that they came from, and forget a nat of each older one."""

    def _evaluate(self, context: StageContext[Any]) -> EvaluationResult:
        own = super()._evaluate(context)
        line: list[RunWish] = []
        name: str | None = context.work.run
        while name is not None:
            view = self.runner.catalog.run(name[:16])
            assert view is not None
            line.append(view.wish)
            name = view.wish.parent.run if view.wish.parent else None
        older = tuple(held_out(one.dataset, "older", 2.0, 2.0) for one in line[1:])
        return own.model_copy(update={"sets": (held_out(line[0].dataset, "own", 2.0, 1.0), *older, own.sets[-1])})


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    gateway.workers = Rememberers(gateway.workers.runner)
    for at in range(3):
        gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf")
        gateway.add("others", content=PDF + f"other {at}".encode(), filename=f"other-{at}.pdf")
    return gateway


def child(client: httpx.Client, dataset: str, parent: str, name: str = "later", **recipe: Any) -> httpx.Response:
    return client.post("/v1/runs", json={"name": name, "dataset": dataset, "recipe": recipe, "parent": parent})


def later_model(shelf: Gateway, client: httpx.Client, dataset: str, parent: str, name: str = "later") -> str:
    asked = child(client, dataset, parent, name)
    assert asked.status_code == 202, asked.text
    assert shelf.workers.run(asked.json()["job"]) == "done"
    return str(client.get(f"/v1/tuned-models/{name}").json()["id"])


def test_a_run_takes_base_and_adapter_from_its_parent_and_spells_out_what_keeps_its_memory(
    shelf: Gateway, client: httpx.Client
) -> None:
    first, second = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", "others")
    asked = client.post("/v1/runs", json={"name": "early", "dataset": first, "recipe": {"lora_r": 8, "lora_alpha": 8}}).json()
    assert asked["wish"]["parent"] is None and asked["wish"]["recipe"]["continual"] is None
    waiting = child(client, second, "early")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not-ready")
    assert "is queued" in waiting.json()["detail"]
    shelf.workers.run(asked["job"])
    early = client.get("/v1/tuned-models/early").json()

    wish = child(client, second, "early", learning_rate=1e-4).json()["wish"]
    assert wish["parent"]["model"] == early["id"] and wish["parent"]["adapter_digest"] == early["adapter_digest"]
    told = wish["recipe"]
    assert (told["base"], told["lora_r"], told["lora_alpha"], told["learning_rate"]) == (BASE, 8, 8, 1e-4)
    assert (told["continual"]["replay_share"], told["continual"]["replay"]) == (0.2, "reservoir")
    other = child(client, second, early["id"], continual={"replay_share": 0.5}).json()["wish"]
    fresh = client.post("/v1/runs", json={"name": "fresh", "dataset": second, "recipe": {"lora_r": 8, "lora_alpha": 8}}).json()
    assert len({wish["key"], other["key"], fresh["wish"]["key"]}) == 3
    assert child(client, second, "early", learning_rate=1e-4).json()["wish"]["key"] == wish["key"]


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ({"base": "another"}, "base model 'another' is not in the object store"),
        ({"base": "second-base"}, "other-base"),
        ({"lora_r": 8}, "other-adapter"),
        ({"lora_alpha": 8}, "other-adapter"),
        ({"lora_targets": ["q_proj"]}, "other-adapter"),
        ({"lora_targets": "all-linear"}, "other-adapter"),
    ],
)
def test_a_recipe_with_another_adapter_is_refused_before_any_work(
    shelf: Gateway, client: httpx.Client, tmp_path: Path, recipe: dict[str, Any], reason: str
) -> None:
    publish_base(
        shelf.store, tmp_path / "base", name="second-base", source="test", licence="none", architecture="none",
        eos_token="<eos>",
    )  # fmt: skip
    dataset = dataset_of_shelf(shelf, client, "first")
    model_of(shelf, client, "early", dataset)
    refused = child(client, dataset, "early", **recipe)
    assert refused.status_code in (404, 422) and reason in refused.json()["detail"]
    assert len(shelf.catalog.runs(Slice(10))) == 1
    assert child(client, dataset, "nobody").status_code == 404


def test_everything_follows_a_model_through_those_it_came_from(shelf: Gateway, client: httpx.Client) -> None:
    first, second = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", "others")
    early = model_of(shelf, client, "early", first)
    late = later_model(shelf, client, second, "early")
    last = later_model(shelf, client, first, late, "last")

    back = client.get(f"/v1/trace/{late}").json()
    assert [(one["model"], one["dataset"]) for one in back["ancestors"]] == [(early, first)]
    assert len(back["ancestors"][0]["documents"]) == 3 and back["children"] == [last]
    example = client.get(f"/v1/datasets/{first}/download").text.splitlines()[0]
    assert set(client.get(f"/v1/trace/{json.loads(example)['id']}").json()["models"]) == {early, late, last}
    words = {"text": json.loads(example)["output"]}
    found = client.get(f"/v1/tuned-models/{late}/evidence", params=words).json()["items"]
    assert json.loads(example)["chunk"] in {one["chunk"] for one in found}

    report = client.get(f"/v1/tuned-models/{late}/forgetting").json()
    assert [row["version"] for row in report["versions"]] == [BASE, early, late]
    assert [one["set"] for one in report["sets"]] == [first, second, "probes"]
    change = next(one for one in report["changes"] if one["set"] == first)
    assert (change["best"], change["rise"], change["worse"]) == (early, 1.0, True)

    reindex(shelf.store, shelf.catalog)
    assert client.get(f"/v1/trace/{late}").json() == back
    assert client.get(f"/v1/tuned-models/{late}").json()["parent"] == early


def test_a_document_that_is_forgotten_is_told_of_every_model_that_came_from_one_that_read_it(
    shelf: Gateway, client: httpx.Client
) -> None:
    first, second = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", "others")
    early = model_of(shelf, client, "early", first)
    late = later_model(shelf, client, second, "early")
    alone = model_of(shelf, client, "alone", second)
    waiting = child(client, second, late, "waiting").json()
    document = json.loads(client.get(f"/v1/datasets/{first}/download").text.splitlines()[0])["document"]

    uses = client.get(f"/v1/documents/{document}/uses").json()
    assert {one["model"]: one["trained"] for one in uses["models"]} == {early: True, late: True}
    assert {one["name"]: one["parent"] for one in uses["runs"]} == {"early": None, "later": early, "waiting": late}
    client.post("/v1/deployments", json={"name": "served", "model": late})
    asked = client.post(f"/v1/documents/{document}/forget", json={"confirm": document})
    assert shelf.await_job(asked).state == "done"

    receipt = client.get(f"/v1/forgotten/{document}").json()["receipt"]
    assert {one["model"] for one in receipt["uses"]["models"]} == {early, late}
    assert [one["deployment"] for one in receipt["uses"]["deployments"]] == ["served"]
    marks = {one["id"]: one["saw_forgotten"] for one in client.get("/v1/tuned-models").json()["items"]}
    assert marks == {early: [document], late: [document], alone: []}
    wait_until(lambda: client.get(f"/v1/jobs/{waiting['job']}").json()["state"] == "cancelled", "the child is called off")
    refused = client.post(f"/v1/jobs/{waiting['job']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "saw-forgotten")
    for parent in (early, late):
        refused = child(client, second, parent, "again", seed=3)
        assert (refused.status_code, refused.json()["code"]) == (409, "saw-forgotten")
    assert child(client, second, alone, "again", seed=3).status_code == 202


def test_an_adapter_that_others_started_from_outlives_tidying(shelf: Gateway, client: httpx.Client) -> None:
    first = dataset_of_shelf(shelf, client, "first")
    early = model_of(shelf, client, "early", first)
    before = set(shelf.store.list("stages/training"))
    waiting = child(client, first, early, seed=3).json()
    tidied = client.post("/v1/tidy", params={"older_hours": 0})
    assert shelf.await_job(tidied).state == "done"
    assert before <= set(shelf.store.list("stages/training"))
    assert shelf.workers.run(waiting["job"]) == "done"


def test_the_command_starts_from_a_model_and_shows_where_one_came_from(
    shelf: Gateway, client: httpx.Client, run: Callable[..., Any]
) -> None:
    first, second = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", "others")
    early = model_of(shelf, client, "early", first)
    asked = run(
        "tune", "--from", "early", "--dataset", second, "--name", "later", "--set", "continual.replay_share=0.5", "--json"
    )
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found["wish"]["parent"]["model"] == early and found["wish"]["recipe"]["continual"]["replay_share"] == 0.5
    assert shelf.workers.run(found["job"]) == "done"
    shown = " ".join(run("run", "show", found["id"]).stdout.split())
    assert f"from {early}" in shown and "continual.replay_share=0.5" in shown
    assert json.loads(run("models", "later", "--json").stdout)["parent"] == early
    reason = "averaged (steps 2 to 4): 1.0000 nats a token, against last 1.5000"
    assert f"chosen {reason}" in shown and found["wish"]["recipe"]["continual"]["choose"] == "evaluated"
    told = " ".join(run("models", "later").stdout.split())
    assert f"chosen: {reason}" in told and "12.5%" in told and "chosen:" not in run("models", "early").stdout
    traced = run("trace", "later").stdout
    assert f"{early} (first)" in traced and "0.pdf" in traced and "other-0.pdf" in traced
    refused = run("tune", "--from", "nobody", second)
    assert refused.returncode != 0 and "no tuned model 'nobody'" in refused.stderr
    neither, both = run("tune", "--from", "early"), run("tune", first, "--dataset", second)
    assert "Name one dataset" in neither.stderr and "Name one dataset" in both.stderr


def test_the_web_app_starts_from_a_model_and_shows_the_line(shelf: Gateway, client: httpx.Client) -> None:
    first, second = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", "others")
    asked = client.post("/v1/runs", json={"name": "early", "dataset": first, "recipe": {"lora_r": 8, "lora_alpha": 8}}).json()
    assert shelf.workers.run(asked["job"]) == "done"
    early = client.get("/v1/tuned-models/early").json()["id"]
    browser = sign_in(shelf, "write")
    assert f"<option>{early}</option>" in browser.get(f"/datasets/{second}").text
    form = {
        "csrf": token(browser), "run": "later", "parent": early, "base": BASE, "lora_r": "16", "lora_alpha": "32",
        "epochs": "2", "continual.replay_share": "0.5", "continual.replay": "quality",
    }  # fmt: skip
    shown = browser.post(f"/datasets/{second}/estimate", data=form)
    assert shown.status_code == 501 or f"<option selected>{early}</option>" in shown.text
    begun = browser.post(f"/datasets/{second}/train", data=form)
    assert begun.status_code == 303, begun.text
    found = client.get(f"/v1{begun.headers['location']}").json()
    recipe = found["wish"]["recipe"]
    assert found["wish"]["parent"]["model"] == early, "and what the form left as it was is the model's"
    assert (recipe["lora_r"], recipe["lora_alpha"], recipe["epochs"]) == (8, 8, 2)
    assert (recipe["continual"]["replay_share"], recipe["continual"]["replay"]) == (0.5, "quality")
    assert shelf.workers.run(found["job"]) == "done"
    told = browser.get(begun.headers["location"]).text
    assert "Started from" in told and early in told and "first" in told
    assert "averaged (steps 2 to 4): 1.0000 nats a token" in told and "12.5 % lost by the cut" in told
    late = client.get("/v1/tuned-models/later").json()["id"]
    assert late in browser.get(f"/runs/{asked['id']}").text, "a model tells what came from it"
    compared = browser.get("/runs/compare", params={"run": [asked["id"], found["id"]]}).text
    assert "continual.replay" in compared and early in compared
    refused = browser.post(f"/datasets/{second}/train", data=form | {"lora_r": "4"})
    assert refused.status_code == 422 and "other-adapter" in refused.text
    plain = browser.post(f"/datasets/{second}/train", data=form | {"parent": ""})
    assert client.get(f"/v1{plain.headers['location']}").json()["wish"]["recipe"]["continual"] is None

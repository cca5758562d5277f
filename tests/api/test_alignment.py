"""Runs that learn from preferences: what they are asked with, why one is refused, and what is told of them."""

from typing import Any

import httpx
import pytest

from shared.contracts.learning import Aligned, LossPoint, TrainingResult
from shared.stage import StageContext
from tests.api.conftest import PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of, shelf_of_three
from tests.api.test_commands import run as run_of_commands
from tests.api.test_preferences import row, upload
from tests.api.test_web import sign_in

run = run_of_commands
DPO = {"alignment": {"method": "dpo", "beta": 0.3}}


class Aligners(Authors):
    """Authors whose aligned runs tell what alignment measures."""

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        plain = super()._train(context)
        found = self.runner.catalog.run(context.work.run[:16])
        assert found is not None
        if found.wish.preferences is None:
            return plain
        points = [
            LossPoint(
                step=step, epoch=step / 2, loss=0.7 / step, learning_rate=3e-4, tokens=100 * step, seconds=float(step),
                metrics={"accuracy": 0.5 * step, "margin": -0.1 + 0.2 * step},
            )
            for step in (1, 2)
        ]  # fmt: skip
        (context.out / "curve.jsonl").write_text("".join(point.model_dump_json() + "\n" for point in points))
        told = Aligned(method="dpo", pairs=9, heldout_pairs=4, heldout_accuracy=0.75, heldout_margin=0.25)
        return plain.model_copy(update={"alignment": told})


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Aligners)


def ask(client: httpx.Client, name: str = "aligned", **asked: Any) -> httpx.Response:
    return client.post("/v1/runs", json={"name": name, "recipe": DPO, **asked})


def preference_set(client: httpx.Client, **also: object) -> str:
    return str(upload(client, [row(at, **also) for at in range(10)]).json()["id"])


def test_a_tuned_model_is_aligned_with_a_set_and_measured_on_its_datasets(
    shelf: Gateway, client: httpx.Client, run: Any
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    parent = model_of(shelf, client, "papers", dataset)
    preferences = preference_set(client)
    first = ask(client, parent="papers", preferences=preferences)
    assert first.status_code == 202, first.text
    wish = first.json()["wish"]
    assert (wish["dataset"], wish["preferences"], wish["parent"]["model"]) == (dataset, preferences, parent)
    assert (wish["recipe"]["alignment"]["beta"], wish["recipe"]["continual"]) == (0.3, None)
    assert shelf.workers.run(first.json()["job"]) == "done"
    assert ask(client, parent="papers", preferences=preferences).status_code == 200
    assert ask(client, dataset=dataset, preferences=preferences).json()["id"] != first.json()["id"], "from the base"
    curve = client.get(f"/v1/runs/{first.json()['id']}/curve").json()["items"]
    assert [one["metrics"]["accuracy"] for one in curve] == [0.5, 1.0]
    told = run("run", "show", first.json()["id"])
    assert "right on 75.0% of 4 held-out pairs" in told.stdout and preferences in told.stdout
    page = sign_in(shelf, "read").get(f"/runs/{first.json()['id']}").text
    assert "75.0 %" in page and "accuracy" in page and "margin" in page and preferences in page


def test_alignment_is_asked_for_in_one_command(shelf: Gateway, client: httpx.Client, run: Any) -> None:
    model_of(shelf, client, "papers", dataset_of_shelf(shelf, client, "first"))
    preferences = preference_set(client)
    asked = ("tune", "--from", "papers", "--align", "dpo", "--preferences", preferences, "--set", "alignment.beta=0.2")
    assert run(*asked, "--name", "aligned").returncode == 0
    [found] = [one for one in client.get("/v1/runs").json()["items"] if one["wish"]["name"] == "aligned"]
    assert found["wish"]["recipe"]["alignment"]["beta"] == 0.2
    bare = run("tune", "--align", "dpo", "--preferences", preferences)
    assert bare.returncode == 2 and "Name one dataset" in bare.stderr
    none = run("tune", "--from", "papers", "--align", "dpo")
    assert none.returncode != 0 and "no-preferences" in none.stderr and "lectern" in none.stderr


def test_a_wish_that_cannot_be_is_refused_before_any_work(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    preferences = preference_set(client)
    few = upload(client, [row(1)], name="few").json()["id"]
    for asked, status, told in (
        ({"dataset": dataset}, 422, "no-preferences"),
        ({"dataset": dataset, "preferences": preferences, "recipe": {}}, 422, "preferences-unused"),
        ({"dataset": dataset, "preferences": "0" * 16}, 404, "no preference set"),
        ({"dataset": dataset, "preferences": few, "recipe": {**DPO, "workers": 2}}, 422, "2 workers"),
        ({"preferences": preferences}, 422, "Name the dataset"),
        ({"dataset": dataset, "preferences": preferences, "recipe": {"alignment": {"method": "magic"}}}, 422, "dpo"),
        ({"dataset": dataset, "preferences": preferences, "recipe": {"alignment": {"beta": 0}}}, 422, "greater than 0"),
    ):
        answer = ask(client, **asked)
        assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert client.get("/v1/runs").json()["items"] == []


def test_what_was_aligned_with_a_forgotten_documents_pairs_is_told_and_not_built_upon(
    shelf: Gateway, client: httpx.Client
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    secret = shelf.add("elsewhere", content=PDF + b"secret", filename="secret.pdf")
    preferences = preference_set(client, evidence=[secret])
    asked = ask(client, dataset=dataset, preferences=preferences).json()
    shelf.workers.run(asked["job"])
    [model] = client.get("/v1/tuned-models").json()["items"]
    waiting = ask(client, "later", parent=model["id"], preferences=preferences).json()
    answer = client.post(f"/v1/documents/{secret}/forget", json={"confirm": secret})
    assert shelf.await_job(answer).state == "done"
    seen = client.get(f"/v1/forgotten/{secret}").json()["receipt"]["uses"]
    assert {one["run"] for one in seen["runs"]} == {asked["id"], waiting["id"]}
    assert [(one["model"], one["trained"]) for one in seen["models"]] == [(model["id"], True)]
    assert client.get(f"/v1/runs/{waiting['id']}").json()["state"] == "cancelled"
    assert client.get(f"/v1/tuned-models/{model['id']}").json()["saw_forgotten"] == [secret]
    refused = ask(client, "third", dataset=dataset, preferences=preferences)
    assert refused.status_code == 409 and "no longer whole" in refused.text
    other = upload(client, [row(at) for at in range(5)], name="other").json()["id"]
    refused = ask(client, "fourth", parent=model["id"], preferences=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "saw-forgotten")

"""Reward models: runs that make one, runs that are scored by one, and everywhere that a model which answers is wanted."""

from typing import Any

import httpx
import pytest

from shared.contracts.learning import Aligned, TrainingResult
from shared.stage import StageContext
from tests.api.conftest import PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of, shelf_of_three
from tests.api.test_alignment import preference_set
from tests.api.test_commands import run as run_of_commands
from tests.api.test_web import sign_in

run = run_of_commands
REWARD = {"alignment": {"method": "reward"}}
SCORED = {"ppo": {"rewards": [{"rule": "model", "model": "rater"}, {"rule": "length"}]}}


class Raters(Authors):
    """Authors whose reward models tell what was measured of them."""

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        plain = super()._train(context)
        found = self.runner.catalog.run(context.work.run[:16])
        assert found is not None
        if not found.wish.recipe.scores:
            return plain
        told = Aligned(
            method="reward", pairs=9, heldout_pairs=4, heldout_accuracy=0.75, heldout_margin=0.25, reward_mean=0.1,
            reward_deviation=1.5,
        )  # fmt: skip
        return plain.model_copy(update={"alignment": told})


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Raters)


def rater(shelf: Gateway, client: httpx.Client, dataset: str, preferences: str, name: str = "rater") -> dict[str, Any]:
    """A reward model's run, done."""
    answer = client.post("/v1/runs", json={"name": name, "dataset": dataset, "recipe": REWARD, "preferences": preferences})
    assert answer.status_code == 202, answer.text
    assert shelf.workers.run(answer.json()["job"]) == "done"
    return dict(client.get(f"/v1/runs/{answer.json()['id']}").json())


def test_a_reward_model_is_a_run_that_ends_with_its_training_and_leaves_no_model_that_answers(
    shelf: Gateway, client: httpx.Client, run: Any
) -> None:
    dataset, preferences = dataset_of_shelf(shelf, client, "first"), preference_set(client)
    made = rater(shelf, client, dataset, preferences)
    assert made["state"] == "done" and [one["stage"] for one in made["stages"]] == ["training"]
    assert client.get("/v1/tuned-models").json()["items"] == []
    shown = run("run", "show", made["id"])
    assert shown.returncode == 0 and "right on 75.0% of 4 held-out pairs" in shown.stdout, shown.stderr
    page = sign_in(shelf, "read").get(f"/runs/{made['id']}").text
    assert "Reward model" in page and "75.0 %" in page and "Deploy it" not in page
    shelf.parts.catalog.finish_job(made["job"], "dead", "internal", "", "t")
    retried = client.post(f"/v1/jobs/{made['job']}/retry")
    assert retried.json()["state"] == "done", "indexed anew it is done after its training too"


def test_a_reward_model_is_asked_for_in_one_command(shelf: Gateway, client: httpx.Client, run: Any) -> None:
    model_of(shelf, client, "papers", dataset_of_shelf(shelf, client, "first"))
    asked = run("tune", "--from", "papers", "--align", "reward", "--preferences", preference_set(client), "--name", "rater")
    assert asked.returncode == 0, asked.stderr
    [found] = [one for one in client.get("/v1/runs").json()["items"] if one["wish"]["name"] == "rater"]
    assert found["wish"]["recipe"]["alignment"] == {"schema_version": 1, "method": "reward", "center": 0.01}
    bare = run("tune", "--align", "reward", "--from", "papers")
    assert bare.returncode != 0 and "no-preferences" in bare.stderr


def test_it_is_refused_everywhere_that_a_model_which_answers_is_wanted(shelf: Gateway, client: httpx.Client) -> None:
    dataset, preferences = dataset_of_shelf(shelf, client, "first"), preference_set(client)
    made = rater(shelf, client, dataset, preferences)
    for name in ("rater", made["id"]):
        for path, asked in (
            ("/v1/deployments", {"name": "rater", "model": name}),
            (f"/v1/tuned-models/{name}/promotion", {}),
            (f"/v1/tuned-models/{name}/exports", {"variant": "gguf-q8_0"}),
            ("/v1/runs", {"name": "on", "dataset": dataset, "parent": name}),
            ("/v1/recipes/estimate", {"dataset": dataset, "parent": name}),
        ):
            answer = client.post(path, json=asked)
            assert (answer.status_code, answer.json()["code"]) == (409, "reward-model"), (path, answer.text)
            assert "scores answers and gives none" in answer.text
        assert client.get(f"/v1/tuned-models/{name}").json()["code"] == "reward-model"
    assert client.get("/v1/deployments").json()["items"] == []


def test_a_run_is_scored_by_the_reward_model_that_it_names_as_it_stood(shelf: Gateway, client: httpx.Client, run: Any) -> None:
    dataset, preferences = dataset_of_shelf(shelf, client, "first"), preference_set(client)
    made = rater(shelf, client, dataset, preferences)
    first = client.post("/v1/runs", json={"name": "scored", "dataset": dataset, "recipe": SCORED})
    assert first.status_code == 202, first.text
    source = first.json()["wish"]["reward"]
    assert (source["name"], source["run"][:16]) == ("rater", made["id"])
    assert shelf.workers.run(first.json()["job"]) == "done"
    assert made["id"] in sign_in(shelf, "read").get(f"/runs/{first.json()['id']}").text
    assert "rater" in run("run", "show", first.json()["id"]).stdout
    other = client.post(
        "/v1/runs",
        json={"name": "rater", "dataset": dataset, "preferences": preferences, "recipe": {**REWARD, "max_steps": 9}},
    )
    assert shelf.workers.run(other.json()["job"]) == "done"
    again = client.post("/v1/runs", json={"name": "scored", "dataset": dataset, "recipe": SCORED})
    assert again.json()["id"] != first.json()["id"], "the name means the newer one by now"


def test_what_cannot_score_a_run_is_refused_before_any_work(shelf: Gateway, client: httpx.Client) -> None:
    dataset, preferences = dataset_of_shelf(shelf, client, "first"), preference_set(client)
    model_of(shelf, client, "papers", dataset)

    def ask(on: str = dataset, name: str = "rater", **recipe: Any) -> httpx.Response:
        rewards = [{"rule": "model", "model": name}]
        return client.post(
            "/v1/runs", json={"name": "scored", "dataset": on, "recipe": {"ppo": {"rewards": rewards}, **recipe}}
        )

    none, answering = ask(), ask(name="papers")
    assert (none.status_code, "no reward model" in none.text) == (404, True)
    assert (answering.status_code, "answers, and no reward model" in answering.text) == (404, True)
    made = client.post("/v1/runs", json={"name": "rater", "dataset": dataset, "recipe": REWARD, "preferences": preferences})
    waiting = ask()
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not-ready")
    assert shelf.workers.run(made.json()["job"]) == "done"
    other = dataset_of_shelf(shelf, client, "second", template="chat")
    refused = ask(on=other)
    assert (refused.status_code, "other-template" in refused.text) == (422, True), refused.text
    twice = client.post("/v1/runs", json={
        "name": "scored", "dataset": dataset,
        "recipe": {"ppo": {"rewards": [{"rule": "model", "model": "rater"}, {"rule": "model", "model": "papers"}]}},
    })  # fmt: skip
    assert (twice.status_code, "one reward model" in twice.text) == (422, True)
    assert ask().status_code == 202


def test_a_recipe_for_a_reward_model_that_cannot_be_is_refused(shelf: Gateway, client: httpx.Client) -> None:
    dataset, preferences = dataset_of_shelf(shelf, client, "first"), preference_set(client)
    for recipe, told in (
        ({**REWARD, "packing": "full"}, "not packed"),
        ({**REWARD, "continual": {}}, "leave out"),
        ({"alignment": {"method": "reward", "beta": 0.1}}, "beta"),
        ({"alignment": {"method": "reward", "center": -1}}, "greater than or equal to 0"),
        ({**REWARD, **SCORED}, "leave out alignment"),
    ):
        answer = client.post("/v1/runs", json={"name": "no", "dataset": dataset, "recipe": recipe, "preferences": preferences})
        assert (answer.status_code, told in answer.text) == (422, True), answer.text


def test_what_a_reward_model_learned_of_a_forgotten_document_reaches_what_it_scored(
    shelf: Gateway, client: httpx.Client
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    secret = shelf.add("elsewhere", content=PDF + b"secret", filename="secret.pdf")
    made = rater(shelf, client, dataset, preference_set(client, evidence=[secret]))
    scored = client.post("/v1/runs", json={"name": "scored", "dataset": dataset, "recipe": SCORED}).json()
    shelf.workers.run(scored["job"])
    answer = client.post(f"/v1/documents/{secret}/forget", json={"confirm": secret})
    assert shelf.await_job(answer).state == "done"
    seen = client.get(f"/v1/forgotten/{secret}").json()["receipt"]["uses"]
    assert {one["run"] for one in seen["runs"]} == {made["id"], scored["id"]}
    for recipe, parent in ((SCORED, {}), ({}, {"parent": "scored"})):
        refused = client.post("/v1/runs", json={"name": "more", "dataset": dataset, "recipe": recipe, **parent})
        assert (refused.status_code, refused.json()["code"]) == (409, "saw-forgotten"), refused.text

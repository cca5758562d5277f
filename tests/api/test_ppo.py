"""Runs that learn from rewards: what they are asked with, why one is refused, and what is told of them."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.contracts.learning import LossPoint, Reinforced, TrainingResult
from shared.stage import StageContext
from tests.api.conftest import Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of, shelf_of_three
from tests.api.test_commands import run as run_of_commands
from tests.api.test_web import sign_in

run = run_of_commands
REWARDED: dict[str, Any] = {"ppo": {"rewards": [{"rule": "pattern"}, {"rule": "length", "max_words": 40, "weight": 0.5}]}}


class Rewarders(Authors):
    """Authors whose rewarded runs tell what PPO measures."""

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        plain = super()._train(context)
        found = self.runner.catalog.run(context.work.run[:16])
        assert found is not None
        if found.wish.recipe.ppo is None:
            return plain
        point = LossPoint(
            step=1, epoch=0.5, loss=0.7, learning_rate=3e-4, tokens=100, seconds=1.0, metrics={"reward": 0.5, "kl": 14.0}
        )
        (context.out / "curve.jsonl").write_text(point.model_dump_json() + "\n")
        told = Reinforced(
            first_reward=0.25, last_reward=0.875, divergence=14.5, entropy=1.0, kl_coefficient=0.031, warned_at=(17, 18)
        )
        return plain.model_copy(update={"ppo": told})


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Rewarders)


def test_a_tuned_model_is_rewarded_and_the_run_tells_of_reward_divergence_and_warnings(
    shelf: Gateway, client: httpx.Client, run: Any, tmp_path: Path
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    parent = model_of(shelf, client, "papers", dataset)
    recipe = tmp_path / "ppo.yaml"
    recipe.write_text("ppo:\n  rewards:\n  - {rule: pattern}\n  kl_target: 4\n")
    asked = run("tune", dataset, "--from", "papers", "--recipe", str(recipe), "--name", "citing")
    assert asked.returncode == 0, asked.stderr
    [found] = [one for one in client.get("/v1/runs").json()["items"] if one["wish"]["name"] == "citing"]
    wish = found["wish"]
    assert (wish["recipe"]["ppo"]["kl_target"], wish["recipe"]["continual"], wish["parent"]["model"]) == (4, None, parent)
    assert shelf.workers.run(found["job"]) == "done"
    assert client.get(f"/v1/runs/{found['id']}/curve").json()["items"][0]["metrics"] == {"reward": 0.5, "kl": 14.0}
    told = run("run", "show", found["id"]).stdout
    assert "0.250 → 0.875" in told and "14.50 nats" in told and "ran away" in told
    page = sign_in(shelf, "read").get(f"/runs/{found['id']}").text
    assert "0.875" in page and "first at step 17" in page and "Reward by" in page and "Kl by" in page


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"ppo": {"rewards": []}}, "at least 1"),
        ({"ppo": {"rewards": [{"rule": "pattern", "pattern": "("}]}}, "regular expression"),
        ({"ppo": {"rewards": [{"rule": "magic"}]}}, "magic"),
        ({**REWARDED, "workers": 2}, "one worker"),
        ({**REWARDED, "alignment": {}}, "leave out alignment"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_any_work(
    shelf: Gateway, client: httpx.Client, recipe: dict[str, Any], told: str
) -> None:
    answer = client.post("/v1/runs", json={"name": "no", "dataset": "0" * 16, "recipe": recipe})
    assert answer.status_code == 422 and told in answer.text


def test_what_it_would_take_is_not_told_rather_than_told_wrongly(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    answer = client.post("/v1/recipes/estimate", json={"dataset": dataset, "recipe": REWARDED})
    assert answer.status_code == 501 and "PPO" in answer.text

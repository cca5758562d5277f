"""Runs by GRPO and RLOO: how they are asked for, why one is refused, and what is told of them."""

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
RULES = [{"rule": "pattern"}]


class Grouping(Authors):
    """Authors whose runs by groups tell what such runs measure."""

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        plain = super()._train(context)
        found = self.runner.catalog.run(context.work.run[:16])
        assert found is not None
        if (groups := found.wish.recipe.grouped) is None:
            return plain
        point = LossPoint(
            step=1, epoch=0.5, loss=0.0, learning_rate=3e-4, tokens=100, seconds=1.0, metrics={"reward": 0.5, "kl": 14.0}
        )
        (context.out / "curve.jsonl").write_text(point.model_dump_json() + "\n")
        told = Reinforced(
            method=groups.method, first_reward=0.25, last_reward=0.875, divergence=14.5, entropy=1.0, kl_coefficient=0.04,
            warned_at=(17,),
        )  # fmt: skip
        return plain.model_copy(update={"groups": told})


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    return shelf_of_three(gateway, Grouping)


def test_a_run_by_groups_is_asked_for_with_its_rewards_in_a_file_and_tells_what_ppo_tells(
    shelf: Gateway, client: httpx.Client, run: Any, tmp_path: Path
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    parent = model_of(shelf, client, "papers", dataset)
    recipe = tmp_path / "groups.yaml"
    recipe.write_text("alignment:\n  rewards:\n  - {rule: pattern}\n  generations: 4\n")
    asked = ("tune", dataset, "--from", "papers", "--recipe", str(recipe), "--align")
    bare = run("tune", "--from", "papers", "--recipe", str(recipe), "--align", "grpo")
    assert bare.returncode == 2 and "Name one dataset" in bare.stderr, "its prompts are the dataset's"
    for method in ("grpo", "rloo"):
        made = run(*asked, method, "--name", method)
        assert made.returncode == 0, made.stderr
        [found] = [one for one in client.get("/v1/runs").json()["items"] if one["wish"]["name"] == method]
        wish = found["wish"]
        assert (wish["recipe"]["alignment"]["method"], wish["recipe"]["alignment"]["generations"]) == (method, 4)
        assert (wish["recipe"]["continual"], wish["parent"]["model"]) == (None, parent)
        assert shelf.workers.run(found["job"]) == "done"
        told = run("run", "show", found["id"]).stdout
        assert "0.250 → 0.875" in told and "14.50 nats" in told and "ran away" in told
        page = sign_in(shelf, "read").get(f"/runs/{found['id']}").text
        assert f"<h2>{method.upper()}</h2>" in page and "first at step 17" in page and "Reward by" in page
        assert client.get(f"/v1/tuned-models/{method}").json()["evaluation"], "a model as of every run"


def test_what_cannot_be_is_refused_before_any_work(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    for section, also, told in (
        ({"method": "grpo"}, {}, "rewards"),
        ({"method": "grpo", "rewards": RULES, "generations": 5}, {}, "whole groups of 5"),
        ({"method": "rloo", "rewards": RULES, "scale": "group"}, {}, "scale"),
        ({"method": "rloo", "rewards": RULES, "passes": 3}, {}, "multiple of passes"),
        ({"method": "grpo", "rewards": RULES}, {"workers": 2}, "one worker"),
        ({"method": "magic", "rewards": RULES}, {}, "dpo, reward, grpo or rloo"),
    ):
        asked = {"name": "no", "dataset": dataset, "recipe": {"alignment": section, **also}}
        answer = client.post("/v1/runs", json=asked)
        assert (answer.status_code, told in answer.text) == (422, True), answer.text
    pairs = {"name": "no", "dataset": dataset, "recipe": {"alignment": {"method": "grpo", "rewards": RULES}}}
    unused = client.post("/v1/runs", json={**pairs, "preferences": "0" * 16})
    assert (unused.status_code, "preferences-unused" in unused.text) == (422, True)
    assert client.get("/v1/runs").json()["items"] == []

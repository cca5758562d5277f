"""An aligned run from its message to its model, through the real runner, Ray and child processes."""

import json
from pathlib import Path

import pytest

from shared import layout
from shared.contracts.alignment import DPO, RewardModel
from shared.contracts.learning import EvaluationResult, RewardSource, RunWish, TrainingResult
from shared.contracts.ppo import PPO, ModelRule
from shared.contracts.preferences import PreferenceParameters, PreferenceSet
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import RunWork
from shared.ids import run_job, short
from shared.objects import ObjectStore, Series, create_contract
from shared.pipeline import EVALUATION, TRAINING, training_key
from shared.results import committed
from tests.unit.training import test_handlers
from tests.unit.training.test_alignment import preferences
from tests.unit.training.test_handlers import RECIPE, World
from tests.unit.training.world import publish_tiny

world = test_handlers.world
"""The fixture."""

ALIGNED = RECIPE.model_copy(
    update={"alignment": DPO(beta=0.2), "max_steps": 12, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_steps": 4}
)
SET = "5" * 64


def put_preferences(store: ObjectStore, scratch: Path, redactions: tuple[str, ...] = ()) -> PreferenceSet:
    files = {}
    for name, rows in (("train.jsonl", preferences(24)), ("heldout.jsonl", preferences(6, seed=1))):
        path = scratch / name
        path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
        files[name] = store.upload(layout.preference_file(short(SET), "made", name), path)
    made = PreferenceSet(
        key=SET, name="pairs", version=1, source="file", parameters=PreferenceParameters(), pairs=24, heldout=6, prompts=30,
        files=files, redactions=redactions, created_at="t",
    )  # fmt: skip
    Series(store, layout.preference_set(short(SET))).append(made)
    return made


def ask(
    world: World, base_digest: str, recipe: TrainingRecipe = ALIGNED, name: str = "aligned", reward: RewardSource | None = None
) -> RunWork:
    pairs = SET if recipe.paired else None
    key = training_key(world.dataset.key, recipe, base_digest, preferences=pairs, reward=reward)
    wish = RunWish(
        key=key, name=name, dataset=short(world.dataset.key), recipe=recipe, base_digest=base_digest,
        preferences=short(pairs) if pairs else None, reward=reward, created_at="t",
    )  # fmt: skip
    create_contract(world.store, layout.run(short(key)), wish)
    world.catalog.put_run(wish)
    return world.queue_up(RunWork(job=run_job(short(key)), trace="t", run=key, answers=not recipe.scores))


def test_an_aligned_run_leaves_a_model_as_every_run_does(world: World, tiny_base: Path, tmp_path: Path) -> None:
    digest = publish_tiny(world.store, tiny_base)
    put_preferences(world.store, tmp_path)
    work = ask(world, digest)
    assert world.train(work) == "done"
    trained = committed(world.store, TRAINING.name, work.run)
    assert trained is not None
    assert {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "curve.jsonl"} <= set(trained.files)
    result = TrainingResult.model_validate(trained.result)
    assert result.alignment is not None and result.steps == 12
    told = result.alignment
    assert (told.method, told.pairs, told.heldout_pairs) == ("dpo", 24, 6)
    assert told.heldout_accuracy is not None and told.heldout_accuracy > 0.8 and result.last_loss < result.first_loss
    curve = [json.loads(line) for line in world.store.read(trained.files["curve.jsonl"].path).splitlines()]
    assert curve[-1]["metrics"]["accuracy"] > 0.8 and curve[-1]["metrics"]["heldout_margin"] == told.heldout_margin
    assert world.evaluate(work) == "done"
    measured = committed(world.store, EVALUATION.name, EVALUATION.key(work))
    assert measured is not None and EvaluationResult.model_validate(measured.result).sets, "measured on what is held out"
    progress = [event.data for event in world.catalog.events(work.job, 0) if event.kind == "progress"]
    assert any("margin" in one.get("fields", {}) for one in progress if one["stage"] == TRAINING.name)


def test_a_reward_model_is_made_and_scores_a_run_that_learns_from_rewards(
    world: World, tiny_base: Path, tmp_path: Path
) -> None:
    digest = publish_tiny(world.store, tiny_base)
    put_preferences(world.store, tmp_path)
    recipe = ALIGNED.model_copy(update={"alignment": RewardModel(), "quantization": "none", "optimizer": "adamw_torch"})
    work = ask(world, digest, recipe, "rater")
    assert world.train(work) == "done"
    job = world.catalog.job(work.job)
    assert job is not None and job.state == "done", "nothing is asked of it afterwards"
    assert not list(world.store.list(layout.checkpoints(work.run))), "nor resumed"
    trained = committed(world.store, TRAINING.name, work.run)
    assert trained is not None
    result = TrainingResult.model_validate(trained.result)
    told = result.alignment
    assert told is not None and told.method == "reward" and told.heldout_accuracy is not None and told.reward_deviation
    config = json.loads(world.store.read(trained.files["adapter/adapter_config.json"].path))
    assert (config["task_type"], config["base_model_name_or_path"]) == ("SEQ_CLS", "tiny")
    rewards = PPO(rewards=(ModelRule(model="rater"),), answer_tokens=6, passes=1)
    learning = recipe.model_copy(update={"alignment": None, "ppo": rewards, "max_steps": 2, "gradient_accumulation": 1})
    source = RewardSource(name="rater", run=work.run, adapter_digest=result.adapter_digest)
    scored = ask(world, digest, learning, "scored", source)
    assert world.train(scored) == "done"
    made = committed(world.store, TRAINING.name, scored.run)
    assert made is not None
    ppo = TrainingResult.model_validate(made.result).ppo
    assert ppo is not None and abs(ppo.last_reward + 1) < 50 and ppo.last_reward not in (0.0, -1.0), "the judge was heard"
    other = source.model_copy(update={"adapter_digest": "0" * 64})
    refused = ask(world, digest, learning, "swapped", other)
    assert world.train(refused) == "failed" and world.reason(refused) == "reward-changed"


@pytest.mark.parametrize("standing", ["gone", "redacted"])
def test_a_set_that_changed_since_is_not_aligned_with(
    world: World,
    tiny_base: Path,
    tmp_path: Path,
    standing: str,
) -> None:
    digest = publish_tiny(world.store, tiny_base)
    if standing == "redacted":
        put_preferences(world.store, tmp_path, redactions=("d" * 64,))
    work = ask(world, digest)
    assert world.train(work) == "failed"
    assert world.reason(work) == "preferences-changed"

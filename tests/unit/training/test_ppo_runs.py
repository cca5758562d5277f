"""A run by PPO from its message to its model, through the real runner, Ray and child processes; and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.training.reinforcing import refuse_prompts
from services.training.stages.examples import Encoded
from services.training.stages.precision import Capabilities, choose_precision
from shared.contracts.learning import EvaluationResult, TrainingResult
from shared.contracts.ppo import PPO, LengthRule
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.errors import Unsupported
from shared.keys import stage_key
from shared.pipeline import EVALUATION, TRAINING
from shared.results import committed
from shared.tuning.architectures import packing_of
from shared.tuning.beginnings import taken_up
from shared.tuning.estimate import CODELLAMA_34B, estimate
from tests.unit.training import test_handlers
from tests.unit.training.test_handlers import RECIPE, World
from tests.unit.training.world import publish_tiny

world = test_handlers.world
"""The fixture."""

SHORT = PPO(rewards=(LengthRule(min_words=0, max_words=2),), answer_tokens=8)
REINFORCED = RECIPE.model_copy(update={"ppo": SHORT, "max_steps": 4, "checkpoint_steps": 2, "learning_rate": 1e-3})


def test_a_run_by_ppo_leaves_a_model_as_every_run_does(world: World, tiny_base: Path) -> None:
    work = world.ask(REINFORCED, publish_tiny(world.store, tiny_base))
    assert world.train(work) == "done"
    trained = committed(world.store, TRAINING.name, work.run)
    assert trained is not None
    assert {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "curve.jsonl"} <= set(trained.files)
    result = TrainingResult.model_validate(trained.result)
    curve = [json.loads(line) for line in world.store.read(trained.files["curve.jsonl"].path).splitlines()]
    assert result.ppo is not None and result.steps == 4 and result.ppo.warned_at == ()
    assert result.ppo.last_reward == pytest.approx(sum(one["metrics"]["reward"] for one in curve) / 4)
    assert curve[0]["metrics"]["kl"] == pytest.approx(0, abs=0.02)
    assert world.evaluate(work) == "done"
    measured = committed(world.store, EVALUATION.name, EVALUATION.key(work))
    assert measured is not None and EvaluationResult.model_validate(measured.result).sets, "measured on what is held out"
    progress = [event.data for event in world.catalog.events(work.job, 0) if event.kind == "progress"]
    assert any({"reward", "kl"} <= set(one.get("fields", {})) for one in progress if one["stage"] == TRAINING.name)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"packing": "full"}, "packing"),
        ({"loss": "all"}, "loss to response"),
        ({"lora_dropout": 0.1}, "lora_dropout"),
        ({"workers": 2}, "workers to 1"),
        ({"precision": "fp16"}, "bf16 or fp32"),
        ({"continual": {}}, "leave out alignment and continual"),
        ({"alignment": {}}, "leave out alignment and continual"),
        ({"ppo": {"rewards": []}}, "rewards"),
    ],
)
def test_what_has_no_meaning_with_ppo_is_refused_with_what_to_do(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TrainingRecipe.model_validate({"ppo": SHORT.model_dump(), **changed})


def test_prompts_that_leave_no_room_for_an_answer_are_refused() -> None:
    recipe = TrainingRecipe(ppo=SHORT, max_tokens=32)
    fitting, long = (Encoded(tuple(range(count)), (*[-100] * (count - 2), 1, 2)) for count in (26, 27))
    assert refuse_prompts([fitting], recipe) is None
    refused = refuse_prompts([fitting, long], recipe)
    assert refused is not None and refused.reason == "prompt-too-long" and "25 tokens" in refused.detail
    assert refuse_prompts([long], TrainingRecipe(max_tokens=32)) is None


def test_probabilities_are_not_compared_in_fp16() -> None:
    old_gpu = Capabilities("cuda", bf16=False)
    assert choose_precision(TrainingRecipe(), old_gpu) == "fp16"
    assert choose_precision(TrainingRecipe(ppo=SHORT), old_gpu) == "fp32"


def test_recipes_without_ppo_keep_their_keys_and_those_with_it_have_others() -> None:
    plain = TrainingRecipe()
    without = plain.model_dump(mode="json", exclude={"ppo", "alignment", "continual"})
    assert "ppo" not in without
    keys = {stage_key("training", 2, one, ["d"]) for one in (plain, TrainingRecipe(ppo=SHORT), TrainingRecipe(ppo=None))}
    assert len(keys) == 2


def test_sampled_answers_are_padded_replay_nothing_and_are_not_estimated() -> None:
    recipe = TrainingRecipe(ppo=SHORT)
    assert packing_of(recipe, {"model_type": "llama"}) == "none"
    assert taken_up(recipe, TrainingRecipe()).continual is None
    assert taken_up(TrainingRecipe(), TrainingRecipe()).continual == Continual()
    with pytest.raises(Unsupported, match="PPO"):
        estimate(recipe, CODELLAMA_34B)

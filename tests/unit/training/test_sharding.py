"""A base that two workers share is the base that each would have held: the same curve, with half of it in each."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.alignment import DPO
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.keys import stage_key
from shared.tuning.beginnings import taken_up
from shared.tuning.checks import refuse_recipe
from shared.tuning.memory import memory
from tests.unit.training.sharing import Run
from tests.unit.training.world import NAME

RECIPE = TrainingRecipe(
    base=NAME, batch_size=2, gradient_accumulation=2, max_steps=9, lora_r=4, learning_rate=1e-2, checkpoint_steps=2, workers=2,
    evaluation_steps=3,
)  # fmt: skip
SHARDED = RECIPE.model_copy(update={"sharding": "full"})


def figures(points: list[LossPoint]) -> list[tuple[int, float, float, int, float | None]]:
    return [(one.step, one.loss, one.learning_rate, one.tokens, one.heldout_loss) for one in points]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "changed",
    [{}, {"quantization": "none", "optimizer": "adamw_torch"}, {"gradient_checkpointing": True}],
    ids=["nf4", "unquantized", "checkpointing"],
)
def test_a_sharded_run_is_the_unsharded_one_with_half_of_the_base_in_each_worker_and_survives_a_kill(
    tmp_path: Path, tiny_base: Path, changed: dict[str, Any]
) -> None:
    whole = Run(tmp_path / "whole", tiny_base, RECIPE.model_copy(update=changed))
    assert whole.attempt() == [0, 0], whole.words()
    killed = Run(tmp_path / "killed", tiny_base, SHARDED.model_copy(update=changed))
    assert killed.attempt(until=5) == [-signal.SIGKILL], killed.words()  # in the second epoch, after step 4's checkpoint
    assert [one.step for one in killed.curve()] == [1, 2, 3, 4, 5]
    assert killed.attempt() == [0, 0], killed.words()
    assert figures(killed.curve()) == figures(whole.curve()), "whole, and not killed"
    assert len({one.heldout_loss for one in killed.curve()}) > 1, "held out examples were measured on the way"
    assert killed.adapter() == whole.adapter()
    for before, after in killed.kept():
        assert after == pytest.approx(before / 2, rel=0.01)
    assert not (tmp_path / "whole" / "memory-0.json").exists()


REFUSED = [
    ({"workers": 1}, "set workers to 2 or more"),
    ({"alignment": DPO()}, "alignment and ppo compare with a reference"),
    ({"continual": Continual(choose="last")}, "continual.ewc to 0"),
    ({"continual": Continual(ewc=0)}, "continual.choose to last"),
]


@pytest.mark.parametrize(("changed", "said"), REFUSED)
def test_what_cannot_be_sharded_is_refused_with_what_to_set(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainingRecipe(**{"workers": 2, "sharding": "full", **changed})


def test_what_can_be_sharded_is_not_refused() -> None:
    recipe = TrainingRecipe(workers=2, sharding="full", continual=Continual(ewc=0, choose="last"))
    assert refuse_recipe(recipe, {"model_type": "llama"}) is None


def test_other_models_and_a_parent_s_default_section_are_refused_before_any_work() -> None:
    refused = refuse_recipe(SHARDED, {"model_type": "mamba2"})
    assert refused is not None and refused.reason == "impossible-sharding" and "mamba2" in refused.detail
    continued = taken_up(SHARDED, RECIPE)
    refused = refuse_recipe(continued, {"model_type": "llama"})
    assert refused is not None and refused.reason == "impossible-sharding" and "continual.ewc to 0" in refused.detail


def test_recipes_from_before_sharding_keep_their_keys() -> None:
    key = stage_key("training", 1, RECIPE, ["a"])
    assert stage_key("training", 1, RECIPE.model_copy(update={"sharding": "none"}), ["a"]) == key
    assert stage_key("training", 1, SHARDED, ["a"]) != key
    assert '"sharding"' not in json.dumps(RECIPE.model_dump(exclude=RECIPE.KEYED_ONCE_SET))


LLAMA = {
    "model_type": "llama", "hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 48, "num_attention_heads": 64,
    "num_key_value_heads": 8, "vocab_size": 32000,
}  # fmt: skip


@pytest.mark.parametrize("quantization", ["nf4", "none"])
def test_the_estimate_divides_the_weights_by_the_workers_but_for_what_is_whole_while_it_computes(quantization: str) -> None:
    many = TrainingRecipe.model_validate({"workers": 4, "quantization": quantization})
    whole, _ = memory(many, LLAMA, None, "cuda", "bf16")
    shared, _ = memory(many.model_copy(update={"sharding": "full"}), LLAMA, None, "cuda", "bf16")
    outside = 2 * (2 * 32000 * 8192 + 97 * 8192)
    layer = (whole.weights - outside) // 48
    assert shared.weights == pytest.approx(whole.weights / 4 + outside + 2 * layer, abs=4)
    assert shared.model_copy(update={"weights": whole.weights}) == whole

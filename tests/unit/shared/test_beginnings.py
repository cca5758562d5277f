"""What a run that starts from a tuned model takes over, and what it may not change."""

import pytest

from shared.contracts.recipes import Continual, TrainingRecipe
from shared.tuning.beginnings import refuse_other_adapter, taken_up

LLAMA = {"model_type": "llama"}
BEFORE = TrainingRecipe(base="b", lora_r=8, lora_alpha=8, lora_targets=("q_proj", "v_proj"), learning_rate=1e-5)


def test_what_is_left_out_of_the_adapter_is_the_models_and_nothing_else() -> None:
    taken = taken_up(TrainingRecipe(epochs=2), BEFORE)
    assert (taken.base, taken.lora_r, taken.lora_alpha, taken.lora_targets) == ("b", 8, 8, ("q_proj", "v_proj"))
    assert (taken.epochs, taken.learning_rate) == (2, TrainingRecipe().learning_rate)
    assert taken.continual == Continual()
    assert refuse_other_adapter(taken, BEFORE, "m", LLAMA) is None


def test_what_is_said_stands() -> None:
    wanted = TrainingRecipe(lora_r=16, continual=Continual(replay_share=0.5))
    taken = taken_up(wanted, BEFORE)
    assert (taken.lora_r, taken.continual) == (16, Continual(replay_share=0.5))
    assert TrainingRecipe.model_validate_json(taken.model_dump_json()) == taken


@pytest.mark.parametrize(
    ("changed", "reason", "told"),
    [
        ({"base": "other"}, "other-base", "m is tuned on b, and the recipe's base is other"),
        ({"lora_r": 16}, "other-adapter", "lora_r 8, and the recipe says 16"),
        ({"lora_alpha": 16}, "other-adapter", "lora_alpha 8, and the recipe says 16"),
        ({"lora_targets": ("q_proj",)}, "other-adapter", "lora_targets"),
        ({"lora_targets": "auto"}, "other-adapter", "lora_targets"),
    ],
)
def test_another_adapter_is_refused_with_what_to_leave_out(changed: dict[str, object], reason: str, told: str) -> None:
    refused = refuse_other_adapter(BEFORE.model_copy(update=changed), BEFORE, "m", LLAMA)
    assert refused is not None and refused.reason == reason and told in refused.detail


def test_the_same_layers_in_other_words_are_the_same() -> None:
    spelt = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    auto, listed = (TrainingRecipe(base="b", lora_targets=one) for one in ("auto", spelt))  # type: ignore[arg-type]
    assert refuse_other_adapter(listed, auto, "m", LLAMA) is None

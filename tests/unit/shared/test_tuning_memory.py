"""What a run would cost: arithmetic held against tensors that exist, and against common sense."""

import json
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from shared.contracts.estimates import Lengths
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.errors import Unsupported
from shared.tuning.estimate import CODELLAMA_34B, GIGABYTE, estimate
from shared.tuning.memory import adapter_parameters, memory, shape_of

SMOL = {
    "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True, "max_position_embeddings": 8192,
}  # fmt: skip
LENGTHS = Lengths(examples=12, mean=200.0, longest=((300, 100), (250, 90), (200, 80), (150, 40)))


def parts(recipe: TrainingRecipe, **more: Any) -> dict[str, int]:
    found, _ = memory(recipe, SMOL, LENGTHS, "cuda", "bf16", **more)
    return {name: value for name, value in found if name != "schema_version"}


PHI = {**SMOL, "model_type": "phi3", "head_dim": 64, "pad_token_id": 0}


@pytest.mark.parametrize("config", [SMOL, dict(CODELLAMA_34B), PHI])
def test_parameters_are_those_of_the_model(config: dict[str, Any]) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    assert shape_of(config).parameters == sum(one.numel() for one in model.parameters())


def test_weights_in_four_bits_weigh_what_bitsandbytes_makes_of_them() -> None:
    """53,084,160 bytes of NF4 and 1,914,360 of constants were counted in the tensors (benchmarks/training.py)."""
    found = parts(TrainingRecipe())
    assert found["weights"] - 2 * shape_of(SMOL).other_parameters == 53_084_160
    assert found["quantization_constants"] == pytest.approx(1_914_360, rel=0.01)
    assert adapter_parameters(TrainingRecipe(), shape_of(SMOL)) == 4_884_480
    single = parts(TrainingRecipe(double_quantization=False))["quantization_constants"]
    assert single / shape_of(SMOL).linear_parameters == pytest.approx(0.0625, rel=0.01)


def test_states_in_eight_bits_are_about_a_quarter() -> None:
    eight, plain = (parts(TrainingRecipe(optimizer=one))["optimizer_states"] for one in ("adamw_8bit", "adamw_torch"))
    assert plain == 8 * 4_884_480
    assert eight == pytest.approx(11_021_760, rel=0.1)
    assert parts(TrainingRecipe(optimizer="sgd"))["optimizer_states"] == 0


def test_each_technique_lowers_the_part_that_it_is_for() -> None:
    plain = parts(TrainingRecipe())
    assert parts(TrainingRecipe(gradient_checkpointing=True))["activations"] < plain["activations"] / 5
    assert parts(TrainingRecipe(packing="none"))["activations"] > plain["activations"]
    assert parts(TrainingRecipe(quantization="none"))["weights"] > 2 * plain["weights"]
    assert parts(TrainingRecipe(lora_targets=("q_proj",)))["adapters"] < plain["adapters"] / 5
    assert parts(TrainingRecipe(loss="all"))["logits"] > plain["logits"]


def test_attention_written_out_keeps_what_autograd_is_seen_to_keep_of_it() -> None:
    def kept(attention: str) -> int:
        """Bytes that the way back needs of a row of 256 tokens, each storage once."""
        small = {**SMOL, "hidden_size": 144, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 64}
        config = AutoConfig.for_model(**small)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.bfloat16)
        storages: dict[int, int] = {}
        keep = torch.autograd.graph.saved_tensors_hooks(
            lambda one: storages.update({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes()}) or one,
            lambda one: one,
        )
        with keep:
            alive = model(input_ids=torch.arange(256)[None] % 64, use_cache=False)
        return sum(storages.values()) + 0 * len(alive)

    weights = 2 * 9 * 256 * 256 * 6
    assert kept("eager") - kept("sdpa") == pytest.approx(weights, rel=0.1)
    eager, sdpa = (parts(TrainingRecipe(attention=one))["activations"] for one in ("eager", "sdpa"))
    assert eager - sdpa == 30 * 9 * 900 * 900 * 6


def test_what_a_run_keeps_of_the_adapter_is_counted() -> None:
    """On a GPU where it began and what mattered, and a running mean; the checkpoints lie in the machine's memory."""

    def copies(device: str, **wish: Any) -> int:
        found, _ = memory(TrainingRecipe(continual=Continual(**wish)), SMOL, LENGTHS, device, "bf16")
        return found.adapters // (4 * 4_884_480) - 1

    assert copies("cuda") == 2 and copies("cuda", averaging="ema") == 3 and copies("cuda", ewc=0, choose="last") == 0
    assert copies("cpu", averaged_checkpoints=5) == 2 + 6 and copies("cpu", choose="last") == 2


def test_codellama_34b_fits_24_gb_only_where_layers_are_computed_again() -> None:
    def fits(**fields: Any) -> list[bool]:
        return [one.fits for one in estimate(TrainingRecipe(base="codellama-34b", **fields), CODELLAMA_34B).fits]

    assert fits() == [False, True, True]
    assert fits(gradient_checkpointing=True, batch_size=1) == [True, True, True]
    assert fits(quantization="none", gradient_checkpointing=True) == [False, False, True]


def test_time_is_told_from_what_was_measured_or_from_a_known_card_or_not_at_all() -> None:
    recipe = TrainingRecipe(epochs=2, batch_size=4, gradient_accumulation=1)
    measured = estimate(recipe, SMOL, LENGTHS, tokens_per_second=100.0)
    assert (measured.steps, measured.seconds) == (6, 48.0)
    assert estimate(recipe, SMOL, LENGTHS).seconds is None
    card = estimate(recipe, SMOL, LENGTHS, gpu="NVIDIA H100 80GB HBM3")
    assert card.seconds is not None and card.seconds < 1 and "35%" in card.seconds_basis


def test_what_is_no_llama_is_not_guessed_at() -> None:
    with pytest.raises(Unsupported, match="mamba"):
        shape_of({"model_type": "mamba"})


def test_an_estimate_is_json_and_its_parts_are_its_total() -> None:
    found = json.loads(estimate(TrainingRecipe(), SMOL, LENGTHS, devices=[("here", 2 * GIGABYTE)]).model_dump_json())
    assert found["total_bytes"] == sum(value for name, value in found["memory"].items() if name != "schema_version")


def test_what_learns_from_rewards_is_estimated_with_its_answers_reference_and_reward_model() -> None:
    def of(method: str, *rewards: dict[str, str], **also: Any) -> Any:
        section = {"method": method, **({"rewards": rewards} if rewards else {}), **also}
        recipe = TrainingRecipe.model_validate({"alignment": section, "batch_size": 4, "max_tokens": 512})
        return estimate(recipe, CODELLAMA_34B, Lengths(examples=100, mean=99.0, longest=((120, 60),)))

    dpo, reward = of("dpo"), of("reward")
    assert reward.memory.logits == 0 < dpo.memory.logits, "a number is made of the end alone"
    assert reward.batch_tokens == dpo.batch_tokens == 2 * 4 * 512
    group, judged = of("grpo", {"rule": "json"}), of("grpo", {"rule": "json"}, {"rule": "model", "model": "rater"})
    assert group.batch_tokens == 4 * 512
    assert judged.memory.adapters - group.memory.adapters == group.memory.adapters // 2, "one adapter more"
    assert group.steps == 100 and of("rloo", {"rule": "json"}, passes=2).steps == 200, "100 prompts, 8 answers a step of 8"
    assert group.seconds is None and "not known beforehand" in group.seconds_basis
    many = TrainingRecipe.model_validate({
        "alignment": {"method": "grpo", "rewards": [{"rule": "json"}]}, "batch_size": 8, "gradient_accumulation": 512,
        "max_tokens": 512, "gradient_checkpointing": True,
    })  # fmt: skip
    kept = estimate(many, CODELLAMA_34B).memory.activations
    assert kept == 2 * 8 * 512 * 512 * 48 * 1024 * 2, "keys and values of all answers, where they are more than a pass"


def test_pairs_make_steps_and_nobody_knows_how_long_they_take() -> None:
    recipe = TrainingRecipe(alignment={"method": "reward"}, epochs=2, batch_size=2, gradient_accumulation=2)  # type: ignore[arg-type]
    found = estimate(recipe, SMOL, LENGTHS, tokens_per_second=100.0, pairs=9)
    assert (found.steps, found.seconds) == (6, None), "five batches make three steps, twice"
    assert "how long the answers of the pairs are is not known" in found.seconds_basis
    assert estimate(recipe, SMOL).steps is None
    assert estimate(recipe.model_copy(update={"max_steps": 4}), SMOL, pairs=9).steps == 4

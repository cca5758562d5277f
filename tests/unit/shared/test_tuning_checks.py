"""Recipes that cannot be: each is refused with a reason for programs and a way out for people, before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.learning import DatasetResult
from shared.contracts.recipes import TrainingRecipe
from shared.tuning.architectures import ARCHITECTURES, lora_targets, packing_of
from shared.tuning.checks import context_tokens, refuse_dataset, refuse_missing_targets, refuse_recipe

LLAMA = {"model_type": "llama", "max_position_embeddings": 2048}


@pytest.mark.parametrize(
    ("recipe", "config", "reason", "told"),
    [
        ({}, {"model_type": "wonder"}, "unknown-architecture", "lora_targets"),
        ({"lora_targets": "all-linear"}, {"model_type": "mamba"}, "impossible-targets", "in_proj"),
        ({"lora_targets": ["in_proj", "out_proj"]}, {"model_type": "mamba2"}, "impossible-targets", "out_proj"),
        ({"packing": "batch"}, {"model_type": "mamba"}, "impossible-packing", "auto or none"),
        ({"packing": "full"}, {"model_type": "falcon_h1"}, "impossible-packing", "auto or none"),
        ({"packing": "full", "lora_targets": "all-linear"}, {"model_type": "wonder"}, "impossible-packing", "not known"),
        ({"attention": "sdpa"}, {"model_type": "rwkv"}, "impossible-attention", "auto"),
        ({"alignment": {"method": "reward"}}, {"model_type": "mamba"}, "impossible-method", "llama"),
        ({"attention": "lectern_triton"}, {"model_type": "gemma2"}, "impossible-attention", "eager"),
        ({"max_tokens": 4096}, LLAMA, "longer-than-context", "2048"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_set(
    recipe: dict[str, Any], config: dict[str, Any], reason: str, told: str
) -> None:
    refused = refuse_recipe(TrainingRecipe(**recipe), config)
    assert refused is not None and refused.reason == reason
    assert told in refused.detail


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_an_empty_recipe_is_one_for_every_known_architecture(kind: str) -> None:
    recipe = TrainingRecipe()
    assert refuse_recipe(recipe, {"model_type": kind}) is None
    known = ARCHITECTURES[kind]
    assert lora_targets(recipe, {"model_type": kind}) == list(known.targets)
    assert not set(known.targets) & set(known.forbidden)
    assert packing_of(recipe, {"model_type": kind}) == ("none" if known.recurrent else "batch")


def test_a_recipe_that_names_layers_trains_what_nobody_knows() -> None:
    recipe = TrainingRecipe(lora_targets=("up",))
    assert refuse_recipe(recipe, {"model_type": "wonder"}) is None
    assert lora_targets(recipe, {"model_type": "wonder"}) == ["up"]
    assert packing_of(recipe, {"model_type": "wonder"}) == "none"


def test_layers_that_the_base_does_not_have_are_named_beside_those_it_has() -> None:
    linear = ["model.layers.0.mlp.up", "model.layers.0.attention.query"]
    assert refuse_missing_targets(TrainingRecipe(lora_targets=("up", "attention.query")), linear) is None
    refused = refuse_missing_targets(TrainingRecipe(lora_targets=("up", "key")), linear)
    assert refused is not None and "called key" in refused.detail and "query, up" in refused.detail


@pytest.mark.parametrize(
    "fields",
    [
        {"colour": "blue"},
        {"lora_targets": []},
        {"lora_targets": ["../x"]},
        {"warmup_steps": 10, "max_steps": 10},
        {"attention": "flash_attention_2", "precision": "fp32"},
        {"optimizer": "adam"},
        {"batch_size": 0},
        {"continual": {"choose": "averaged", "averaging": "none"}},
        {"continual": {"averaged_rank": "sum", "averaged_checkpoints": 3}, "lora_r": 128},
    ],
)
def test_a_recipe_that_contradicts_itself_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingRecipe(**fields)


def test_a_wide_average_is_possible_where_it_is_not_asked_for_or_cut() -> None:
    for wish in ({"averaged_rank": "same"}, {"averaged_rank": "sum", "choose": "last"}):
        assert TrainingRecipe.model_validate({"lora_r": 128, "continual": wish}).lora_r == 128


def test_an_empty_dataset_is_refused() -> None:
    def dataset(train: int) -> DatasetResult:
        return DatasetResult(digest="0", documents=1, chunks=1, train=train, heldout=1, heldout_documents=1, split="chunk")

    assert refuse_dataset(TrainingRecipe(), dataset(1)) is None
    for recipe, train in ((TrainingRecipe(), 0), (TrainingRecipe(workers=3), 2)):
        refused = refuse_dataset(recipe, dataset(train))
        assert refused is not None and refused.reason == "empty-dataset"


def test_a_context_is_what_the_configuration_says() -> None:
    assert context_tokens(LLAMA) == 2048
    assert context_tokens({"context_length": 1024}) == 1024
    assert context_tokens({"model_type": "mamba"}) is None


def test_every_field_of_a_recipe_is_explained_and_has_a_default() -> None:
    schema = TrainingRecipe.model_json_schema()
    fields = {name: field for name, field in schema["properties"].items() if name != "schema_version"}
    assert all(field.get("description") for field in fields.values())
    assert not schema.get("required")


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads((Path(__file__).parents[3] / "docs" / "recipe.schema.json").read_text(encoding="utf-8"))
    assert published == TrainingRecipe.model_json_schema(), "write `lectern recipe schema` to docs/recipe.schema.json"


@pytest.mark.parametrize(
    ("recipe", "told"),
    [({"packing": "full"}, "packing"), ({"loss": "all"}, "loss to response"), ({"continual": {}}, "either continual")],
)
def test_what_means_nothing_where_answers_are_compared_is_refused(recipe: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TrainingRecipe.model_validate({"alignment": {"method": "dpo"}, **recipe})
    assert packing_of(TrainingRecipe.model_validate({"alignment": {}}), LLAMA) == "none"

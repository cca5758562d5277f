"""What a run that starts from a tuned model has in common with it, and why one may not, before any work is queued."""

from collections.abc import Mapping
from typing import Any

from shared.contracts.recipes import Continual, TrainingRecipe
from shared.contracts.work import Rejected
from shared.tuning.architectures import lora_targets

ADAPTER = ("base", "lora_r", "lora_alpha", "lora_targets")
"""Fields of a recipe that decide which weights there are: the same ones are trained on."""


def taken_up(recipe: TrainingRecipe, before: TrainingRecipe) -> TrainingRecipe:
    """A recipe for a run from a model that was made by the recipe `before`: what is left out of base and adapter is that
    one's, and the section on continual tuning is spelt out; alignment and PPO replay nothing."""
    left_out = {name: getattr(before, name) for name in ADAPTER if name not in recipe.model_fields_set}
    continual = recipe.continual or (Continual() if recipe.alignment is None and recipe.ppo is None else None)
    return recipe.model_copy(update={**left_out, "continual": continual})


def refuse_other_adapter(
    recipe: TrainingRecipe, before: TrainingRecipe, model: str, config: Mapping[str, Any]
) -> Rejected | None:
    """A recipe whose adapter is not the model's: another base, rank, scale or other layers."""
    if recipe.base != before.base:
        return Rejected(
            reason="other-base",
            detail=f"{model} is tuned on {before.base}, and the recipe's base is {recipe.base}. Leave base out.",
        )
    for name in ("lora_r", "lora_alpha"):
        theirs, asked = getattr(before, name), getattr(recipe, name)
        if theirs != asked:
            return _other(name, model, theirs, asked)
    theirs, asked = (_layers(one, config) for one in (before, recipe))
    return None if theirs == asked else _other("lora_targets", model, before.lora_targets, recipe.lora_targets)


def _layers(recipe: TrainingRecipe, config: Mapping[str, Any]) -> str | frozenset[str]:
    found = lora_targets(recipe, config)
    return found if isinstance(found, str) else frozenset(found)


def _other(name: str, model: str, theirs: object, asked: object) -> Rejected:
    return Rejected(
        reason="other-adapter",
        detail=f"{model} was tuned with {name} {theirs}, and the recipe says {asked}: the run trains the same adapter on. "
        f"Leave {name} out.",
    )

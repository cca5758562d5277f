"""How many optimizer steps a recipe means for a dataset, and where warm-up and checkpoints fall."""

import math
from dataclasses import dataclass

from shared.contracts.recipes import TrainingRecipe


@dataclass(frozen=True, slots=True)
class StepPlan:
    """Optimizer steps: in all, in an epoch, and of warm-up."""

    total: int
    per_epoch: int
    warmup: int


def plan_steps(recipe: TrainingRecipe, rows: int) -> StepPlan:
    """The steps of a run over so many rows (examples, or with packing full the sequences they fill; at least one),
    `recipe.workers` of them sharing every step. Rows that are prompts count as often as they are answered and learned from."""
    grouped = recipe.grouped
    if grouped is not None:
        rows *= grouped.generations
    forward_passes = math.ceil(rows / (recipe.batch_size * recipe.workers))
    per_epoch = math.ceil(forward_passes / recipe.gradient_accumulation) * (grouped.passes if grouped else 1)
    total = recipe.max_steps or max(1, math.ceil(recipe.epochs * per_epoch))
    asked = math.ceil(recipe.warmup_ratio * total) if recipe.warmup_steps is None else recipe.warmup_steps
    return StepPlan(total=total, per_epoch=per_epoch, warmup=min(asked, total))

"""How many optimizer steps a recipe means for a dataset, and where warm-up and checkpoints fall."""

import math
from dataclasses import dataclass

from shared.contracts.learning import TrainingRecipe


@dataclass(frozen=True, slots=True)
class StepPlan:
    """Optimizer steps: in all, in an epoch, and of warm-up."""

    total: int
    per_epoch: int
    warmup: int


def plan_steps(recipe: TrainingRecipe, examples: int) -> StepPlan:
    """The steps of a run over so many examples (at least one), `recipe.workers` of them sharing every step."""
    forward_passes = math.ceil(examples / (recipe.batch_size * recipe.workers))
    per_epoch = math.ceil(forward_passes / recipe.gradient_accumulation)
    total = recipe.max_steps or max(1, math.ceil(recipe.epochs * per_epoch))
    return StepPlan(total=total, per_epoch=per_epoch, warmup=math.ceil(recipe.warmup_ratio * total))

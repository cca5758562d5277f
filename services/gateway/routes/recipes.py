"""Recipes: their schema, whether one can be carried out, and what it would cost, all before any work starts."""

from typing import Any

from fastapi import APIRouter

from services.gateway.auth import Reader
from services.gateway.estimates import estimate_run
from services.gateway.parts import PartsOf
from shared.bases import read_base
from shared.contracts.estimates import Estimate, EstimateRequest
from shared.contracts.recipes import TrainingRecipe
from shared.errors import NotFound
from shared.tuning.require import require_recipe

router = APIRouter(prefix="/v1/recipes", tags=["recipes"])


@router.get("/schema", summary="See the schema of recipes")
def recipe_schema(_: Reader) -> dict[str, Any]:
    """JSON Schema of a recipe: every field explained, with its default."""
    return TrainingRecipe.model_json_schema()


@router.post("/check", summary="Check a recipe")
def check_recipe(parts: PartsOf, _: Reader, recipe: TrainingRecipe) -> TrainingRecipe:
    """The recipe with every default spelt out, where it can be carried out on its base; a problem that says why, where not."""
    base = read_base(parts.store, recipe.base)
    if base is None:
        raise NotFound(f"There is no base model {recipe.base!r} in the object store; publish it first.")
    require_recipe(parts.store, recipe, base)
    return recipe


@router.post("/estimate", summary="Estimate what a run costs")
def estimate_cost(parts: PartsOf, _: Reader, asked: EstimateRequest) -> Estimate:
    """Memory by part, time, and whether it fits. Lengths are reckoned from the dataset's characters; a base that is not
    published may be codellama-34b, whose shape is known."""
    return estimate_run(parts, asked)

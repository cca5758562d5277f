"""A run's wish held against what the store knows of its base and dataset, before any work is queued."""

import json
from typing import Any

from shared.bases import base_object
from shared.contracts.learning import BaseModelManifest, DatasetResult
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.errors import InvalidInput
from shared.objects import ObjectStore
from shared.results import committed
from shared.tuning.beginnings import refuse_other_adapter
from shared.tuning.checks import refuse_dataset, refuse_recipe

_CONFIG = "config.json"
_MAX_CONFIG_BYTES = 1 << 20


class BadRecipe(InvalidInput):
    """A recipe that cannot be carried out on its base and dataset; the message says what to set."""

    code = "bad-recipe"


def base_config(store: ObjectStore, base: BaseModelManifest) -> dict[str, Any] | None:
    """The config.json of a published base; None where it has none that can be read."""
    path = base_object(base, _CONFIG)
    size = store.size(path)
    if size is None or size > _MAX_CONFIG_BYTES:
        return None
    try:
        config = json.loads(store.read(path))
    except ValueError:
        return None
    return config if isinstance(config, dict) else None


def require_possible(store: ObjectStore, recipe: TrainingRecipe, base: BaseModelManifest, dataset_key: str) -> None:
    """Raises BadRecipe. What only the examples themselves show is refused when the run begins."""
    require_recipe(store, recipe, base)
    manifest = committed(store, "dataset", dataset_key)
    if manifest is not None and manifest.rejected is None:
        _raise(refuse_dataset(recipe, DatasetResult.model_validate(manifest.result)))


def require_recipe(store: ObjectStore, recipe: TrainingRecipe, base: BaseModelManifest) -> None:
    """Raises BadRecipe where the recipe cannot be on this base, whatever the dataset."""
    if not base.eos_token:
        raise BadRecipe(
            f"no-eos-token: the tokenizer of {base.name} has no end-of-sequence token: what it tunes could not stop. "
            "Set eos_token in its tokenizer_config.json and publish it under another name."
        )
    config = base_config(store, base)
    if config and config.get("model_type"):
        _raise(refuse_recipe(recipe, config))


def require_same_adapter(
    store: ObjectStore, recipe: TrainingRecipe, before: TrainingRecipe, model: str, base: BaseModelManifest
) -> None:
    """Raises BadRecipe where a run from `model`, made by the recipe `before`, would not train that model's adapter on."""
    _raise(refuse_other_adapter(recipe, before, model, base_config(store, base) or {}))


def _raise(refused: Rejected | None) -> None:
    if refused is not None:
        raise BadRecipe(f"{refused.reason}: {refused.detail}", reason=refused.reason)

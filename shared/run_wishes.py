"""What a wish for a run is made of: its dataset, its base, and the model that it starts from where it starts from one,
its preferences and its reward model where it learns from these."""

from shared import layout
from shared.bases import read_base
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.learning import BaseModelManifest, DatasetWish, Model, Parent, RunWish
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Conflict, NotFound
from shared.ids import short
from shared.objects import ObjectStore, read_contract
from shared.pipeline import TRAINING, training_key
from shared.preference_wishes import preferences_for
from shared.results import committed
from shared.reward_wishes import reward_for
from shared.tuning.beginnings import taken_up
from shared.tuning.require import require_possible, require_same_adapter
from shared.unforgotten import require_unforgotten


def run_wish(
    store: ObjectStore, catalog: Catalog, name: str, dataset: DatasetWish, recipe: TrainingRecipe, parent: Model | None,
    preferences: str | None = None,
) -> RunWish:  # fmt: skip
    """Raises NotFound, Conflict, BadRecipe."""
    begun = read_contract(store, layout.run(parent.run), RunWish) if parent else None
    recipe = taken_up(recipe, begun.recipe) if begun else recipe
    base = read_base(store, recipe.base)
    if base is None:
        raise NotFound(
            f"The base model {recipe.base!r} is not in the object store. "
            f"Publish it with `python -m services.training.publish_base {recipe.base}`."
        )
    require_possible(store, recipe, base, dataset.key)
    pairs = preferences_for(catalog, recipe, preferences)
    reward = reward_for(store, catalog, recipe, base, dataset)
    begins_from = _parent(store, catalog, parent, begun, recipe, base) if parent else None
    return RunWish(
        key=training_key(dataset.key, recipe, base.digest, begins_from, pairs.key if pairs else None, reward), name=name,
        dataset=short(dataset.key), recipe=recipe, base_digest=base.digest, parent=begins_from, preferences=preferences,
        reward=reward, created_at=now(),
    )  # fmt: skip


def _parent(
    store: ObjectStore, catalog: Catalog, model: Model, begun: RunWish | None, recipe: TrainingRecipe, base: BaseModelManifest
) -> Parent:
    if begun is None or committed(store, TRAINING.name, model.adapter_key) is None:
        raise NotFound(f"The adapter of {model.id} is not in the object store: start from another model.")
    require_same_adapter(store, recipe, begun.recipe, model.id, base)
    if begun.base_digest != base.digest:
        raise Conflict(f"{model.id} was tuned on another {base.name} than the one that is published now. Tune from the base.")
    parent = Parent(model=model.id, run=begun.key, adapter_digest=model.adapter_digest)
    require_unforgotten(store, catalog, parent.run, parent.model)
    return parent

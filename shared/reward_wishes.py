"""The reward model that a wish for a run names, held against the run that is to be scored, before any work is queued."""

from collections.abc import Iterator

from shared.ancestry import read_dataset
from shared.catalog.protocol import Catalog, Slice
from shared.contracts.learning import BaseModelManifest, DatasetWish, RewardSource, RunWish, TrainingResult
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.views import RunView
from shared.errors import Conflict, NotFound, NotReady
from shared.objects import ObjectStore
from shared.pipeline import TRAINING
from shared.results import committed
from shared.tuning.require import BadRecipe
from shared.unforgotten import require_unforgotten

A_LOOK = 200


class IsRewardModel(Conflict):
    """A reward model where one that answers is asked for."""

    code = "reward-model"


def reward_for(
    store: ObjectStore, catalog: Catalog, recipe: TrainingRecipe, base: BaseModelManifest, dataset: DatasetWish
) -> RewardSource | None:
    """The one that scores a run by this recipe; None where it names none. Raises NotFound, NotReady, BadRecipe, and
    SawForgotten."""
    name = recipe.reward_model
    if name is None:
        return None
    wish = _made(catalog, name)
    manifest = committed(store, TRAINING.name, wish.key)
    if manifest is None or manifest.rejected is not None:
        raise NotFound(f"What the reward model {name!r} learned is not in the object store: train it again.")
    if wish.base_digest != base.digest:
        raise BadRecipe(
            f"other-base: the reward model {name} is on {wish.recipe.base}, and the recipe's base is {recipe.base}. A reward "
            "model scores what is said on its own base: train one there.",
            reason="other-base",
        )
    theirs = read_dataset(store.read, wish.dataset).parameters.template
    if theirs != dataset.parameters.template:
        raise BadRecipe(
            f"other-template: the reward model {name} learned of answers in the template {theirs}, and the dataset's is "
            f"{dataset.parameters.template}. Train one with a dataset in that template.",
            reason="other-template",
        )
    require_unforgotten(store, catalog, wish.key, f"The reward model {name}")
    made = TrainingResult.model_validate(manifest.result)
    return RewardSource(name=name, run=wish.key, adapter_digest=made.adapter_digest)


def require_answers(catalog: Catalog, name: str) -> None:
    """Raises IsRewardModel where the name is that of a reward model, or of the run that made one."""
    if any(one.wish.recipe.scores for one in _called(catalog, name)):
        raise IsRewardModel(
            f"{name} is a reward model: it scores answers and gives none, so it is not deployed, promoted, exported or tuned "
            'further. Name it in the rewards of a recipe, {"rule": "model", "model": "' + name + '"}.'
        )


def _made(catalog: Catalog, name: str) -> RunWish:
    """The newest run of that name, or the one of that id, that made a reward model."""
    found = list(_called(catalog, name))
    scoring = [one for one in found if one.wish.recipe.scores]
    if not scoring:
        other = f"{name} is a model that answers, and no reward model" if found else f"There is no reward model {name!r}"
        raise NotFound(f"{other}: `lectern tune --align reward --preferences SET` trains one.")
    done = next((one for one in scoring if one.state == "done"), None)
    if done is None:
        raise NotReady(
            f"The reward model {name!r} is still to be made: its run {scoring[0].id} is {scoring[0].state}. Watch it with "
            f"`lectern watch {scoring[0].job}`."
        )
    return done.wish


def _called(catalog: Catalog, name: str) -> Iterator[RunView]:
    """Newest first."""
    before = None
    while runs := catalog.runs(Slice(A_LOOK, before)):
        yield from (one for one in runs if name in (one.id, one.wish.name))
        before = (runs[-1].wish.created_at, runs[-1].id)

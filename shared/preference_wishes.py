"""What a wish for a run says of preferences, held against the set that it names, before any work is queued."""

from collections.abc import Iterable

from shared.catalog.protocol import Catalog
from shared.contracts.learning import RunWish
from shared.contracts.preferences import PreferenceSet
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Conflict, NotFound
from shared.tuning.require import BadRecipe


def preferences_for(catalog: Catalog, recipe: TrainingRecipe, preferences: str | None) -> PreferenceSet | None:
    """The set that a run by this recipe aligns with; None where it aligns with none. Raises BadRecipe, NotFound, Conflict."""
    if recipe.paired is None:
        if preferences is None:
            return None
        raise BadRecipe(
            "preferences-unused: the recipe learns of no pairs, so a preference set means nothing to it. Say how: "
            '`lectern tune --align dpo`, or the recipe\'s section alignment, {"method": "dpo"}.',
            reason="preferences-unused",
        )
    if preferences is None:
        raise BadRecipe(
            f"no-preferences: {recipe.paired.method} learns from pairs of answers. Name a set (--preferences SET); `lectern "
            "preferences build` makes one of feedback or of a file.",
            reason="no-preferences",
        )
    found = catalog.preference_set(preferences)
    if found is None:
        raise NotFound(f"There is no preference set {preferences!r}; `lectern preferences list` shows those there are.")
    _require_enough(found, recipe)
    return found


def require_whole(found: PreferenceSet) -> None:
    """A set that pairs were taken out of is not what its name says. Raises Conflict."""
    if found.redactions:
        raise Conflict(
            f"Preference set {found.name} is no longer whole: a document in it had to be forgotten. Build a set of what "
            "remains, and align with that."
        )


def redacted(catalog: Catalog, runs: Iterable[RunWish]) -> bool:
    """Whether one of these runs aligned with a set that a document was taken out of since."""
    sets = (catalog.preference_set(one.preferences) for one in runs if one.preferences is not None)
    return any(found is not None and found.redactions for found in sets)


def _require_enough(found: PreferenceSet, recipe: TrainingRecipe) -> None:
    require_whole(found)
    if found.pairs < recipe.workers:
        raise BadRecipe(
            f"no-preferences: set {found.name} has {found.pairs} pairs to train on, and {recipe.workers} workers need at least "
            "one each. Collect more feedback, upload pairs, or ask for fewer workers.",
            reason="no-preferences",
        )

"""The form for a run that learns from a preference set: the method, the model that it starts from, and the recipe."""

from dataclasses import dataclass, replace

from services.gateway.web import forms
from services.gateway.web.entry import Posted
from services.gateway.web.forms import Field, checked
from services.gateway.web.tuning import begun
from shared.contracts.alignment import DPO, USUAL, RewardModel
from shared.contracts.recipes import TrainingRecipe
from shared.errors import InvalidInput

METHODS: dict[str, type[DPO | RewardModel]] = {"dpo": DPO, "reward": RewardModel}
"""Those that learn from pairs. The others need rewards, which a recipe names."""

ABOUT = {name: contract.model_fields["method"].description for name, contract in METHODS.items()}

STANDING = TrainingRecipe(learning_rate=5e-5)
"""What the empty form shows. The rate is lower than tuning's, by docs/alignment.md."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asks for. `shown` is the recipe as it stands in the form; `recipe` leaves out what the parent decides."""

    name: str
    parent: str
    method: str
    settings: dict[str, DPO | RewardModel]
    shown: TrainingRecipe
    recipe: TrainingRecipe


def untouched() -> Asked:
    return Asked("", "", USUAL, {name: contract() for name, contract in METHODS.items()}, STANDING, STANDING)


def asked(posted: Posted) -> Asked:
    """Raises InvalidInput with the fields that are wrong."""
    method, parent = posted.get("method"), posted.get("parent")
    if method not in METHODS:
        raise InvalidInput(f"Choose a method that learns from pairs: {' or '.join(METHODS)}.")
    if not parent:
        raise InvalidInput("Choose the model that the run starts from.")
    chosen: DPO | RewardModel = checked(METHODS[method], METHODS[method](), posted.several, f"{method}.")
    shown: TrainingRecipe = checked(TrainingRecipe, STANDING, posted.several)
    settings = {**untouched().settings, method: chosen}
    return Asked(posted.get("run"), parent, method, settings, shown, begun(shown, STANDING, alignment=chosen))


def fields(form: Asked) -> list[Field]:
    """Those of the recipe. The base is the parent's."""
    usual = STANDING.model_dump(mode="json", include=STANDING.model_fields_set)
    found = forms.fields(TrainingRecipe, form.shown.model_dump(mode="json"))
    return [replace(one, usual=usual.get(one.path, one.usual)) for one in found if one.path != "base"]


def method_fields(form: Asked) -> dict[str, list[Field]]:
    """The settings of each method."""
    return {name: _settings(name, chosen) for name, chosen in form.settings.items()}


def _settings(method: str, chosen: DPO | RewardModel) -> list[Field]:
    found = forms.fields(METHODS[method], chosen.model_dump(mode="json"), f"{method}.")
    return [one for one in found if one.path != f"{method}.method"]

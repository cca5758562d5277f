"""The form for a run: the recipe, the model that it starts from, and what is to keep that model's memory."""

from dataclasses import dataclass
from itertools import islice

from services.gateway.lineage import all_models
from services.gateway.parts import Parts
from services.gateway.routes.models import marked
from services.gateway.web import forms
from services.gateway.web.entry import Posted
from services.gateway.web.forms import Field, checked, validated
from shared.contracts.base import Contract
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.tuning.beginnings import ADAPTER

OFFERED = 100
"""Models to start from that the form offers, the newest."""

MEMORY = "continual."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asks for. `shown` is the recipe as it stands in the form; `recipe` leaves out what the parent decides."""

    name: str
    parent: str
    shown: TrainingRecipe
    recipe: TrainingRecipe


def untouched(base: str) -> Asked:
    recipe = TrainingRecipe(base=base, continual=Continual())
    return Asked("", "", recipe, recipe)


def asked(base: str, posted: Posted) -> Asked:
    """Raises InvalidInput with the fields that are wrong."""
    memory = checked(Continual, Continual(), posted.several, MEMORY)
    standing = TrainingRecipe(base=base)
    shown: TrainingRecipe = checked(TrainingRecipe, standing, posted.several)
    name, parent = posted.get("run"), posted.get("parent")
    if not parent:
        return Asked(name, "", shown.model_copy(update={"continual": memory}), shown)
    return Asked(name, parent, shown.model_copy(update={"continual": memory}), begun(shown, standing, continual=memory))


def begun(shown: TrainingRecipe, standing: TrainingRecipe, **section: Contract) -> TrainingRecipe:
    """The recipe of a run that starts from a model, with a section: of its adapter, what stands as in the empty form is left
    out, and is the model's. Raises InvalidInput."""
    unchanged = {field for field in ADAPTER if getattr(shown, field) == getattr(standing, field)}
    said = {name: one.model_dump(mode="json") for name, one in section.items()}
    recipe: TrainingRecipe = validated(TrainingRecipe, shown.model_dump(mode="json", exclude=unchanged) | said)
    return recipe


def fields(form: Asked) -> list[Field]:
    return forms.fields(TrainingRecipe, form.shown.model_dump(mode="json"))


def memory_fields(form: Asked) -> list[Field]:
    return forms.fields(Continual, (form.shown.continual or Continual()).model_dump(mode="json"), MEMORY)


def offered(parts: Parts, base: str | None = None) -> list[str]:
    """Models on a base, or on any, that a run may start from: none that learned of a document which had to go."""
    found = list(islice((one for one in all_models(parts.catalog) if base in (None, one.base)), OFFERED))
    return [one.id for one in marked(parts, found) if not one.saw_forgotten]

"""Forms made from contracts: what is shown, sent back unchanged, is what stood."""

import pytest
from pydantic import BaseModel

from services.gateway.web import forms
from shared.contracts.documents import ProcessingParameters
from shared.contracts.learning import DatasetParameters
from shared.contracts.recipes import TrainingRecipe


def as_sent(shown: list[forms.Field]) -> dict[str, list[str]]:
    """What a browser sends of a form that nobody touched."""
    sent = {}
    for field in shown:
        if field.kind == "switch":
            sent[field.path] = ["off", *(["on"] if field.value else [])]
        elif field.kind == "several":
            sent[field.path] = ["", *(choice for choice in field.choices if choice in field.value.split(", "))]
        else:
            sent[field.path] = ["" if field.value is None else str(field.value)]
    return sent


@pytest.mark.parametrize("contract", [DatasetParameters, TrainingRecipe])
def test_a_form_that_nobody_touched_changes_nothing(contract: type[BaseModel]) -> None:
    standing = contract()
    shown = forms.fields(contract, standing.model_dump(mode="json"))
    assert contract.model_validate(forms.values(contract, standing, as_sent(shown))) == standing


def test_groups_are_read_back_by_the_paths_of_their_fields() -> None:
    standing = ProcessingParameters()
    groups = forms.groups(ProcessingParameters, standing.model_dump(mode="json"))
    sent = as_sent([field for group in groups.values() for field in group])
    assert ProcessingParameters.model_validate(forms.values(ProcessingParameters, standing, sent)) == standing
    sent |= {"chunking.max_tokens": ["64"], "cleaning.drop_citations": ["off"], "extraction.ocr_languages": ["deu, eng"]}
    changed = ProcessingParameters.model_validate(forms.values(ProcessingParameters, standing, sent))
    assert (changed.chunking.max_tokens, changed.cleaning.drop_citations) == (64, False)
    assert changed.extraction.ocr_languages == ("deu", "eng")


def test_bounds_choices_and_defaults_are_those_of_the_contract() -> None:
    shown = {field.label: field for field in forms.fields(TrainingRecipe, TrainingRecipe().model_dump(mode="json"))}
    assert (shown["Lora r"].least, shown["Lora r"].most, shown["Lora r"].usual) == (1, 256, 16)
    assert shown["Schedule"].choices == ("linear", "cosine", "constant")
    assert shown["Attention"].kind == "choice"

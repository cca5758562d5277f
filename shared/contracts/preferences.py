"""Preference sets: pairs of answers as they stood at one moment, named by what is in them."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.work import File


class PreferenceParameters(Contract):
    """How pairs become a set."""

    heldout_share: float = Field(0.1, ge=0, lt=0.9, description="Share of the prompts kept out of training, to measure on.")
    seed: int = Field(17, description="Decides which prompts are held out.")


class PreferenceSet(Contract):
    """A set of preferences: the latest of the series `preferences/<id>/` counts, and it changes only where a document in it
    is forgotten. No prompt is both trained on and held out."""

    key: str
    name: str
    version: int = Field(description="Its number among the sets of this name.")
    source: Literal["feedback", "file"]
    model: str = Field("", description="Of feedback: only on answers of this model, where it was asked for so.")
    filename: str = ""
    file_sha256: str = ""
    parameters: PreferenceParameters
    pairs: int = Field(description="To train on.")
    heldout: int
    prompts: int
    sources: dict[str, int] = Field({}, description="Pairs by where they come from: correction, ratings, file.")
    refused: dict[str, int] = Field({}, description="Rows that are no pair, by reason.")
    untraced: int = Field(0, description="Pairs that tell no document: whether they hold a document's text is not known.")
    files: dict[str, File]
    redactions: tuple[str, ...] = Field((), description="Documents that were forgotten and whose pairs were taken out of it.")
    by: str = Field("", description="Name of the API key that asked.")
    created_at: str


class PreferenceVersion(Contract):
    """A set's entry in the series of its name."""

    set: str
    created_at: str

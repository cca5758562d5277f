"""Provenance as it is told: from an example to its chunk, document, page and box, and from a document to what saw it."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import Box, Chunk
from shared.contracts.learning import Example


class Place(Contract):
    """A part of a chunk, and the box of a page that it was read from."""

    page: int
    box: Box | None
    text: str = Field(description="As it stands in the chunk.")
    on_page: str | None = Field(None, description="As it was read off the page there, before cleaning.")
    stands: bool | None = Field(None, description="Whether that text holds this one. None where the page map is gone.")


class ChunkTrace(Contract):
    """A chunk of a dataset, where it comes from, and what was made of it there."""

    kind: Literal["chunk"] = "chunk"
    chunk: Chunk
    dataset: str
    filename: str
    collections: tuple[str, ...] = Field((), description="Shelves that its document stands on now.")
    places: tuple[Place, ...]
    examples: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class ExampleTrace(Contract):
    """An example, the chunk it was made of, and the page boxes that its text was read from."""

    kind: Literal["example"] = "example"
    example: Example
    split: Literal["train", "heldout"]
    dataset: str
    dataset_name: str
    chunk: Chunk | None = Field(None, description="None where the chunk came with the example from an earlier dataset.")
    collections: tuple[str, ...] = ()
    places: tuple[Place, ...]
    models: tuple[str, ...] = Field((), description="Models whose dataset holds it, and those that came from them.")


class Ancestor(Contract):
    """A model that another came from, and what it was tuned on."""

    model: str
    run: str
    dataset: str
    dataset_name: str
    documents: tuple[tuple[str, str], ...] = Field(description="Id and file name of each document of its dataset.")


class ModelTrace(Contract):
    """A model's way back to its documents: those of its dataset, and those of the models that it came from."""

    kind: Literal["model"] = "model"
    model: str
    base: str
    run: str
    dataset: str
    dataset_name: str
    documents: tuple[tuple[str, str], ...] = Field(description="Id and file name of each document of its dataset.")
    ancestors: tuple[Ancestor, ...] = Field((), description="The models that it came from, the nearest first.")
    children: tuple[str, ...] = Field((), description="Models whose runs started from it.")
    deployments: tuple[str, ...] = ()
    saw_forgotten: tuple[str, ...] = ()

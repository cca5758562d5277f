"""Provenance: from any example to chunk, document, page and box, and from a document to all that was made of it."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request

from services.gateway.auth import Reader
from services.gateway.chores.uses import uses
from services.gateway.lineage import all_models, ancestors
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.datasets import DatasetId, dataset_of
from services.gateway.routes.documents import DocumentId
from services.gateway.routes.models import marked
from services.gateway.shelves import places_of
from services.gateway.traces import Traces, all_datasets
from shared.contracts.documents import Membership
from shared.contracts.forgetting import Uses
from shared.contracts.learning import DatasetWish, Model
from shared.contracts.traces import Ancestor, ChunkTrace, ExampleTrace, ModelTrace
from shared.errors import NotFound

router = APIRouter(prefix="/v1", tags=["provenance"])

ExampleId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,80}$", description="Id of an example, as downloads give it.")]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,120}$", description="Id of an example, chunk or document, or a model.")]

_DOCUMENT = re.compile(r"[0-9a-f]{6,64}")


@router.get("/datasets/{dataset}/examples/{example}", summary="Trace an example to its page")
def trace_example(parts: PartsOf, _: Reader, request: Request, dataset: DatasetId, example: ExampleId) -> ExampleTrace:
    """Its chunk, its document, and each page box that its text was read from, with what was read there and whether that holds
    the text: letters and digits in order, less the citation markers that cleaning takes out."""
    return _traces(parts, request).example(dataset_of(parts, dataset), example)


@router.get("/documents/{document}/uses", summary="See what was made of a document")
def get_uses(parts: PartsOf, _: Reader, document: DocumentId) -> Uses:
    """Datasets with the number of their examples, and the runs, models and deployments of those."""
    places = places_of(parts.catalog, document)
    shelves = [
        Membership(collection=one.collection, document=one.id, filename=one.filename, added_at=one.added_at) for one in places
    ]
    return uses(parts.store, places[0].id, shelves, _candidates(parts, places[0].id))


def _candidates(parts: Parts, document: str) -> set[str]:
    """Datasets that were wished of the document, and those that may replay from them."""
    found = set(parts.catalog.datasets_of(document))
    replaying = {one.id: set(one.wish.parameters.replay.datasets) for one in all_datasets(parts.catalog)}
    while more := {one for one, sources in replaying.items() if sources & found} - found:
        found |= more
    return found


@router.get("/trace/{name}", summary="Trace anything")
def trace(parts: PartsOf, caller: Reader, request: Request, name: Name) -> ExampleTrace | ChunkTrace | ModelTrace | Uses:
    """A model to its documents, a document to what was made of it, an example or a chunk to its pages. Examples and chunks are
    looked for in the datasets, the newest first; `/datasets/{dataset}/examples/{example}` looks in one."""
    model = parts.catalog.model(name)
    if model is not None:
        return _model(parts, model)
    found = _traces(parts, request).anywhere(name)
    if found is not None:
        return found
    if _DOCUMENT.fullmatch(name):
        try:
            return get_uses(parts, caller, name)
        except NotFound:
            pass
    raise NotFound(f"{name!r} is no example or chunk of a dataset, no document and no model.")


def _traces(parts: Parts, request: Request) -> Traces:
    return Traces(parts.store, parts.catalog, request.app.state.leaves)


def _model(parts: Parts, model: Model) -> ModelTrace:
    dataset = dataset_of(parts, model.dataset)
    served = [one.name for one in parts.catalog.deployments() if model.id in one.wish.models]
    return ModelTrace(
        model=model.id, base=model.base, run=model.run, dataset=model.dataset, dataset_name=dataset.wish.name,
        documents=_documents(dataset.wish), deployments=tuple(served),
        ancestors=tuple(_ancestor(parts, one) for one in ancestors(parts.catalog, model)),
        children=tuple(one.id for one in all_models(parts.catalog) if one.parent == model.id),
        saw_forgotten=marked(parts, [model])[0].saw_forgotten,
    )  # fmt: skip


def _ancestor(parts: Parts, model: Model) -> Ancestor:
    wish = dataset_of(parts, model.dataset).wish
    return Ancestor(
        model=model.id, run=model.run, dataset=model.dataset, dataset_name=wish.name, documents=_documents(wish)
    )  # fmt: skip


def _documents(wish: DatasetWish) -> tuple[tuple[str, str], ...]:
    return tuple((one.document, one.filename) for one in wish.inputs)

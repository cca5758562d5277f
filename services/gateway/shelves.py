"""Documents as users name them, and the results that stand for them under their collection's settings."""

import re

from shared.catalog.protocol import Catalog
from shared.contracts.documents import ProcessingParameters
from shared.contracts.views import CollectionView, DocumentView
from shared.contracts.work import DocumentWork, File
from shared.errors import Conflict, InvalidInput, NotFound, NotReady
from shared.objects import ObjectStore
from shared.pipeline import chain, chunking_key, cleaning_key, extraction_key, screening_key
from shared.results import committed

_PREFIX = re.compile(r"[0-9a-f]{6,64}")


def collection_of(catalog: Catalog, name: str) -> CollectionView:
    """Raises NotFound."""
    found = catalog.collection(name)
    if found is None:
        raise NotFound(f"There is no collection {name!r}; `PUT /v1/collections/{{name}}`, or an upload to it, makes one.")
    return found


def places_of(catalog: Catalog, document: str) -> list[DocumentView]:
    """A document on every shelf it stands on, by id or the beginning of one. Raises NotFound, Conflict, InvalidInput."""
    if not _PREFIX.fullmatch(document):
        raise InvalidInput("A document is named by its SHA-256 in hex, or by the first 6 or more digits of it.")
    found = catalog.shelves_of(document)
    distinct = len({view.id for view in found})
    if distinct == 0:
        raise NotFound(f"There is no document {document}.")
    if distinct > 1:
        raise Conflict(f"{distinct} documents begin with {document}: give more digits.")
    return found


def document_of(catalog: Catalog, collection: str, document: str) -> DocumentView:
    """Raises NotFound, Conflict, InvalidInput."""
    collection_of(catalog, collection)
    found = catalog.document(collection, document)
    if found is not None:
        return found
    for view in places_of(catalog, document):
        if view.collection == collection:
            return view
    raise NotFound(f"Document {document} is not on the shelf {collection!r}.")


def stage_key(stage: str, document: str, parameters: ProcessingParameters) -> str:
    keys = {
        "extraction": extraction_key, "cleaning": cleaning_key, "chunking": chunking_key, "screening": screening_key,
    }  # fmt: skip
    return keys[stage](document, parameters)


def keys_of(document: str, collection: str, parameters: ProcessingParameters) -> dict[str, str]:
    """The names of a document's results under these settings, by stage, in the order of the flow."""
    work = DocumentWork(job="", trace="", collection=collection, document=document, parameters=parameters)
    return {stage.name: stage.key(work) for stage in chain(work)}


def result_file(store: ObjectStore, catalog: Catalog, view: DocumentView, stage: str, name: str) -> File:
    """An output of a document's stage, under the settings its collection has now. Raises NotReady."""
    parameters = collection_of(catalog, view.collection).parameters
    manifest = committed(store, stage, stage_key(stage, view.id, parameters))
    if manifest is not None and name in manifest.files:
        return manifest.files[name]
    if manifest is not None and manifest.rejected is not None:
        raise NotReady(f"{view.filename} was refused at {stage}: {manifest.rejected.detail}")
    if view.detail is not None:
        raise NotReady(f"{view.filename} is {view.state} at {view.stage}, and {stage} comes no earlier: {view.detail}")
    raise NotReady(f"{view.filename} is {view.state} at {view.stage}; ask again when {stage} is done.")

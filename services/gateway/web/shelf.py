"""The shelf: collections, their documents and how far each has come, uploads, search and settings."""

from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ValidationError

from services.gateway.evidence import Evidence
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import field_errors
from services.gateway.shelves import collection_of
from services.gateway.web import forms
from services.gateway.web.entry import ByReviewer, Reviewer, Viewer
from services.gateway.web.pages import back, page, router
from services.gateway.web.words import on_the_way
from shared.catalog.protocol import Slice
from shared.contracts.documents import ProcessingParameters
from shared.contracts.views import FINISHED, CollectionView, DocumentView, JobState
from shared.errors import InvalidInput, NotReady, Unsupported
from shared.keys import is_name

routes = router()

Collection = Annotated[str, Path(max_length=63)]
Text = Annotated[str, Query(max_length=500)]

COLLECTIONS = 100
FOUND = 20
LOOKED_AT = 50


@routes.get("/")
def home(request: Request, parts: PartsOf, session: Viewer, paging: PagingOf) -> Response:
    """The newest collection, or the empty shelf of a new user."""
    newest = parts.catalog.collections(Slice(1))
    if not newest:
        return page(request, session, "shelf_empty.html", here="shelf")
    return shelf(request, parts, session, newest[0].name, paging)


@routes.get("/shelf/{collection}")
def shelf(
    request: Request, parts: PartsOf, session: Viewer, collection: Collection, paging: PagingOf,
    state: JobState | None = None, q: Text = "",
) -> Response:  # fmt: skip
    """A page of a collection's documents, newest first."""
    # Asked before the documents are: what happens in between is told twice rather than never.
    after = parts.catalog.latest_event()
    view = collection_of(parts.catalog, collection)
    states = parts.catalog.count_documents(collection)
    found = paging.page(parts.catalog.documents(paging.slice, collection, state, q or None), lambda one: (one.added_at, one.id))
    return page(
        request, session, "shelf.html", here="shelf", collection=view, collections=_collections(parts), states=states,
        rows=[_row(parts, one) for one in found.items], following=found.next_cursor, state=state, q=q, after=after,
    )  # fmt: skip


@routes.post("/shelf")
def go_to(posted: ByReviewer, parts: PartsOf) -> Response:
    """A new collection."""
    name = posted.get("name")
    if not is_name(name):
        raise InvalidInput(f"{name!r} cannot name a collection: use lower-case letters, digits, dots, dashes and underscores.")
    parts.records.collect(name)
    return back(f"/shelf/{name}")


@routes.get("/shelf/{collection}/settings")
def settings(request: Request, parts: PartsOf, session: Reviewer, collection: Collection) -> Response:
    view = collection_of(parts.catalog, collection)
    return _settings(request, session, view, view.parameters.model_dump(mode="json"), ())


@routes.post("/shelf/{collection}/settings")
def set_settings(request: Request, parts: PartsOf, posted: ByReviewer, collection: Collection) -> Response:
    """Documents are taken again through the stages that depend on what changed, and no others."""
    view = collection_of(parts.catalog, collection)
    values = forms.values(ProcessingParameters, view.parameters, posted.several)
    try:
        parameters = ProcessingParameters.model_validate(values)
    except ValidationError as error:
        return _settings(request, posted.session, view, values, field_errors(error.errors()))
    if parameters != view.parameters:
        parts.records.set_parameters(collection, parameters)
        parts.woken.set()
    return back(f"/shelf/{collection}")


def _settings(request: Request, session: Any, view: CollectionView, values: Any, wrong: Any) -> Response:
    return page(
        request, session, "settings.html", status=422 if wrong else 200, here="shelf", collection=view,
        groups=forms.groups(ProcessingParameters, values), wrong=wrong,
    )  # fmt: skip


class Found(BaseModel):
    """What a search over chunks came to."""

    chunks: list[Evidence] = []
    dataset: str = ""
    why: str = ""


@routes.get("/search")
def search(request: Request, parts: PartsOf, session: Viewer, collection: Text = "", q: Text = "") -> Response:
    """Documents by name, and chunks by what they say."""
    chosen = collection or next((one.name for one in parts.catalog.collections(Slice(1))), "")
    documents = parts.catalog.documents(Slice(FOUND), chosen or None, None, q) if q else []
    found = _chunks(parts, chosen, q) if q else Found()
    return page(
        request, session, "search.html", here="shelf", q=q, collection=chosen, documents=documents, found=found,
        collections=_collections(parts),
    )  # fmt: skip


def _chunks(parts: Parts, collection: str, q: str) -> Found:
    """In the newest dataset of the collection that is done: what a model was or would be taught."""
    for head in parts.catalog.dataset_heads(Slice(LOOKED_AT)):
        if head.state != "done" or head.head.collection != collection:
            continue
        try:
            names = partial(parts.catalog.dataset_inputs, head.id)
            return Found(chunks=parts.evidence.nearest(head.head.key, names, q, FOUND), dataset=head.id)
        except (NotReady, Unsupported) as error:
            return Found(why=error.message)
    return Found(why="Chunks can be searched once a dataset of this collection is built.")


def _collections(parts: Parts) -> list[CollectionView]:
    return parts.catalog.collections(Slice(COLLECTIONS))


def _row(parts: Parts, view: DocumentView) -> dict[str, Any]:
    """A document and, where it is on its way, how far."""
    job = parts.catalog.job(view.job) if view.state == "running" else None
    progress = job.progress if job else None
    told = on_the_way(view.state, view.stage)
    if progress is not None:
        told = f"{told} {progress.unit} {min(progress.done + 1, progress.total)} of {progress.total}"
    return {"view": view, "told": told, "progress": progress, "open": view.state not in FINISHED}

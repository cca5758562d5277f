"""Collections: named shelves, and the settings that decide what a document on them becomes."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import ValidationError
from sse_starlette import EventSourceResponse

from services.gateway.asking import monitored
from services.gateway.auth import Reader, Writer
from services.gateway.change_costs import estimate
from services.gateway.events import After, collection_look, watch
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import in_words
from services.gateway.shelves import collection_of
from shared.contracts.costs import ChangeCost
from shared.contracts.documents import ProcessingParameters
from shared.contracts.views import CollectionView, ListPage
from shared.errors import InvalidInput

router = APIRouter(prefix="/v1/collections", tags=["collections"])

Changes = Annotated[
    dict[str, Any],
    Body(description="JSON merge patch (RFC 7396) of the settings.", examples=[{"chunking": {"max_tokens": 512}}]),
]
Collection = Annotated[str, Path(description="Name of the collection.", examples=["papers"])]


@router.get("", summary="List collections")
def list_collections(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[CollectionView]:
    """Newest first."""
    return paging.page(parts.catalog.collections(paging.slice), lambda one: (one.created_at, one.name))


@router.get("/{collection}", summary="See a collection")
def get_collection(parts: PartsOf, _: Reader, collection: Collection) -> CollectionView:
    """Its settings, and its documents counted by state."""
    return _counted(parts, collection)


@router.put("/{collection}", summary="Create a collection, or replace its settings", responses={201: {"model": CollectionView}})
def put_collection(
    parts: PartsOf, _: Writer, collection: Collection, response: Response, parameters: ProcessingParameters
) -> CollectionView:
    """Fields that are left out take their defaults. Documents that stand on the shelf are taken through the stages that
    depend on what changed, and through no others: 202, with the job that sets them going in `Link`."""
    response.status_code = 200 if parts.catalog.collection(collection) else 201
    return _set(parts, collection, parameters, response)


@router.patch(
    "/{collection}",
    summary="Change some of a collection's settings",
    response_model=CollectionView | ChangeCost,
    responses={201: {"model": CollectionView}, 202: {"model": CollectionView}},
)
def patch_collection(
    parts: PartsOf,
    _: Writer,
    collection: Collection,
    response: Response,
    changes: Changes,
    dry_run: Annotated[bool, Query(description="Change nothing; answer an `ChangeCost` of what it would do again.")] = False,
) -> CollectionView | ChangeCost:
    """What is left out stays as it is, and `null` brings a default back. Documents that stand on the shelf are taken
    through the stages that depend on what changed, and through no others: 202, with the job that sets them going in `Link`.
    The collection is made where there is none. `POST …/estimate` says beforehand what would be done again."""
    if dry_run:
        return _estimate(parts, collection, changes)
    standing = parts.catalog.collection(collection)
    response.status_code = 200 if standing else 201
    return _set(parts, collection, _patched(standing, changes), response)


@router.post("/{collection}/estimate", summary="See what a change of settings would cost")
def estimate_change(parts: PartsOf, _: Reader, collection: Collection, changes: Changes) -> ChangeCost:
    """Which stages would be done again, for how many documents and pages, and for how many seconds, by what the collection's
    own workers took so far. Nothing is changed. Settings that were in force before cost nothing to go back to."""
    return _estimate(parts, collection, changes)


def _estimate(parts: Parts, collection: str, changes: dict[str, Any]) -> ChangeCost:
    standing = collection_of(parts.catalog, collection)
    return estimate(parts.store, parts.catalog, collection, standing.parameters, _patched(standing, changes))


def _patched(standing: CollectionView | None, changes: dict[str, Any]) -> ProcessingParameters:
    """Raises InvalidInput."""
    before = (standing.parameters if standing else ProcessingParameters()).model_dump(mode="json")
    try:
        after = ProcessingParameters.model_validate(merge_patch(before, changes))
    except ValidationError as error:
        raise InvalidInput(f"These settings cannot be: {in_words(error.errors(), 'body')}.") from None
    if after.screening.follow and after.screening.classifier not in (None, before["screening"]["classifier"]):
        raise InvalidInput(
            "A collection that follows the classifier is given the version that stands. To choose one, set screening.follow "
            "to false with it."
        )
    return after


@router.get("/{collection}/events", summary="Watch a collection", response_class=EventSourceResponse)
def watch_collection(
    parts: PartsOf,
    _: Reader,
    collection: Collection,
    after: After,
    follow: Annotated[bool, Query(description="Go on watching when all documents are finished.")] = False,
) -> EventSourceResponse:
    """Server-sent events of all jobs of the collection: each an `EventView`. Ends when all of its documents are finished."""
    collection_of(parts.catalog, collection)
    look = collection_look(parts.catalog, collection, follow)
    return EventSourceResponse(watch(look, after, parts.settings.event_poll_seconds))


def _set(parts: Parts, name: str, parameters: ProcessingParameters, response: Response) -> CollectionView:
    standing = parts.catalog.collection(name)
    if standing is None or standing.parameters != parameters:
        job = parts.records.set_parameters(name, parameters)
        if job is not None:
            monitored(parts, response, job)
    return _counted(parts, name)


def _counted(parts: Parts, name: str) -> CollectionView:
    return collection_of(parts.catalog, name).model_copy(update={"states": parts.catalog.count_documents(name)})


def merge_patch(target: object, patch: object) -> object:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged

"""Garbage: the text that was set aside, across documents."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from services.gateway.auth import Reader
from services.gateway.garbage import GarbageReader, Place
from services.gateway.pagination import Cursor, Limit, decode_cursor, encode_cursor
from services.gateway.parts import Parts, PartsOf
from services.gateway.review import review_page
from services.gateway.shelves import collection_of, document_of, places_of
from shared.contracts.documents import GarbageItem
from shared.contracts.review import ReviewItem
from shared.contracts.views import DocumentView, ListPage
from shared.errors import InvalidInput

router = APIRouter(prefix="/v1/garbage", tags=["garbage"])


@router.get("", summary="List garbage items", response_model=ListPage[ReviewItem] | ListPage[GarbageItem])
def list_garbage(
    parts: PartsOf,
    caller: Reader,
    collection: Annotated[str | None, Query(description="Only of this collection.")] = None,
    document: Annotated[str | None, Query(description="Only of this document.", pattern="^[0-9a-f]{6,64}$")] = None,
    order: Annotated[
        Literal["document", "uncertainty"],
        Query(description="`uncertainty`: what a reviewer should label next, kept text too."),
    ] = "document",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ListPage[GarbageItem] | ListPage[ReviewItem]:
    """Document by document, newest first, each item with the reason it was set aside. A page may be short, or even empty,
    and still have another behind it: go on while there is a `next_cursor`.

    By `uncertainty`, a page holds in turn texts whose probability is nearest to one half, texts that the classifier contradicts
    (kept ones among them), and texts drawn by lot, all of which nobody labelled yet; those of the lot come to two reviewers."""
    if collection is not None:
        collection_of(parts.catalog, collection)
    if order == "uncertainty":
        if document is not None:
            raise InvalidInput("The order by uncertainty is over whole collections: leave `document` out.")
        return review_page(parts.store, parts.catalog, caller.name, collection, limit, cursor)
    reader = GarbageReader(parts.store, parts.catalog, collection)
    if document is None:
        items, place = reader.page(limit, _place(cursor))
        following = encode_cursor(place.added_at, place.document, place.byte) if place else None
    else:
        byte = int(decode_cursor(cursor, int)[0]) if cursor else 0
        items, rest = reader.of_document(_document(parts, collection, document), limit, max(0, byte))
        following = encode_cursor(rest) if rest is not None else None
    return ListPage(items=tuple(items), next_cursor=following)


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    added_at, document, byte = decode_cursor(cursor, str, str, int)
    return Place(str(added_at), str(document), int(byte))


def _document(parts: Parts, collection: str | None, document: str) -> DocumentView:
    if collection is not None:
        return document_of(parts.catalog, collection, document)
    return places_of(parts.catalog, document)[-1]

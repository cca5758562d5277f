"""The page ledger: pages in = kept + set aside + failed, for a document, for its pages line by line, and for a collection."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from services.gateway.auth import Reader
from services.gateway.leaves import Leaves, of_page
from services.gateway.ledger import Account, Sum, account_of, audit, of_manifests, of_views, rows_of
from services.gateway.pagination import Cursor, Limit, decode_cursor, encode_cursor
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.collections import Collection
from services.gateway.routes.documents import DocumentId
from services.gateway.shelves import collection_of, document_of, keys_of, places_of
from shared.contracts.documents import LineFate
from shared.contracts.ledger import CollectionLedger, DocumentLedger, LedgerView, PageAccount, PageLedger
from shared.contracts.views import DocumentView
from shared.contracts.work import DocumentWork, File, Manifest
from shared.errors import Conflict, NotFound
from shared.jsonl import lines_from
from shared.results import standing

router = APIRouter(prefix="/v1", tags=["ledger"])

MOST_LINES = 100_000
OnShelf = Annotated[str | None, Query(description="Where the document stands on several shelves: which.")]
PageNumber = Annotated[int, Path(ge=1, description="Number of the page, from 1.")]


@router.get("/documents/{document}/ledger", summary="See a document's ledger")
def get_ledger(
    parts: PartsOf, _: Reader, document: DocumentId, collection: OnShelf = None, limit: Limit = 50, cursor: Cursor = None
) -> DocumentLedger:
    """What became of its pages, lines and characters, and why; then its pages in order, some at a time. All sums are checked
    against each other on every call: `adds_up` says whether they agree."""
    view, results = _looked_up(parts, document, collection)
    ledger = _ledger(parts, view, results)
    items, following = _pages_from(parts, results, limit, cursor)
    return DocumentLedger(**ledger.model_dump(), items=items, next_cursor=following)


@router.get("/documents/{document}/ledger/pages/{page}", summary="See a page's ledger")
def get_page_ledger(
    parts: PartsOf, _: Reader, request: Request, document: DocumentId, page: PageNumber, collection: OnShelf = None,
    limit: Limit = 50, cursor: Cursor = None,
) -> PageLedger:  # fmt: skip
    """What became of each of its lines, in reading order."""
    view, results = _looked_up(parts, document, collection)
    found = next((row for row in rows_of(parts.store, results.get("cleaning")) if row.page == page), None)
    if found is None:
        raise NotFound(f"{view.filename} has no page {page} in its ledger; it is {view.state} at {view.stage}.")
    leaves: Leaves = request.app.state.leaves
    lines = leaves.lines(results["cleaning"].files["lines.jsonl"], page, of_page, MOST_LINES)
    first = int(decode_cursor(cursor, int)[0]) if cursor else 0
    chosen = lines[first : first + limit]
    following = encode_cursor(first + limit) if first + limit < len(lines) else None
    items = tuple(LineFate.model_validate_json(line) for line in chosen)
    return PageLedger(document=view.id, account=found, items=items, next_cursor=following)


@router.get("/collections/{collection}/ledger", summary="See a collection's ledger")
def get_collection_ledger(parts: PartsOf, _: Reader, collection: Collection) -> CollectionLedger:
    """The sum over its documents, from what their stages said of themselves."""
    parameters = collection_of(parts.catalog, collection).parameters
    total = Sum(collection)
    for document, stages in parts.catalog.stages_on(collection):
        total.add(document, account_of(of_views(stages, keys_of(document, collection, parameters))))
    return total.view()


def _looked_up(parts: Parts, document: str, collection: str | None) -> tuple[DocumentView, dict[str, Manifest]]:
    """A document on a shelf, and the results that stand for it there. Raises NotFound, Conflict."""
    if collection is not None:
        view = document_of(parts.catalog, collection, document)
    else:
        places = places_of(parts.catalog, document)
        if len(places) > 1:
            shelves = ", ".join(one.collection for one in places)
            raise Conflict(f"The document stands on several shelves ({shelves}): name one as `collection`.")
        view = places[0]
    parameters = collection_of(parts.catalog, view.collection).parameters
    work = DocumentWork(job=view.job, trace="", collection=view.collection, document=view.id, parameters=parameters)
    return view, {stage.name: manifest for stage, manifest in standing(parts.store, work) if manifest is not None}


def _ledger(parts: Parts, view: DocumentView, results: dict[str, Manifest]) -> LedgerView:
    said = of_manifests(results)
    account: Account = account_of(said)
    if account.cleaning is not None:
        audit(account, said, rows_of(parts.store, results["cleaning"]))
    cleaned = account.cleaning
    return LedgerView(
        document=view.id, collection=view.collection, filename=view.filename, state=view.state, refused=account.refused,
        pages=account.pages, lines=cleaned.lines if cleaned else {}, characters=account.characters,
        garbage=cleaned.garbage if cleaned else {}, chunks=account.chunks, adds_up=not account.faults,
        faults=tuple(account.faults),
    )  # fmt: skip


def _pages_from(
    parts: Parts, results: dict[str, Manifest], limit: int, cursor: str | None
) -> tuple[tuple[PageAccount, ...], str | None]:
    manifest = results.get("cleaning")
    file: File | None = manifest.files.get("ledger.jsonl") if manifest else None
    if file is None:
        return (), None
    start = max(0, int(decode_cursor(cursor, int)[0])) if cursor else 0
    items: list[PageAccount] = []
    for line, end in lines_from(parts.store, file, start):
        items.append(PageAccount.model_validate_json(line))
        if len(items) == limit:
            return tuple(items), encode_cursor(end) if end < file.size_bytes else None
    return tuple(items), None

"""Documents: uploaded to a shelf, watched on their way, and downloaded in each form they took."""

from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import JSONL, MARKDOWN, PDF, download
from services.gateway.idempotency import Once, OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.collections import Collection
from services.gateway.shelves import collection_of, document_of, places_of, result_file
from services.gateway.uploads import Received, is_form, received
from shared import layout
from shared.contracts.views import DocumentView, JobState, ListPage
from shared.contracts.work import File
from shared.errors import InvalidInput, NotFound
from shared.keys import is_name
from shared.tombstones import require_not_forgotten

router = APIRouter(prefix="/v1", tags=["documents"])

DocumentId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{6,64}$", description="SHA-256 of the document's bytes in hex, or 6 or more digits of its beginning."
    ),
]

_PDF_BODY = {"schema": {"type": "string", "format": "binary"}}
_FORM_BODY = {
    "schema": {"type": "object", "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
}
_UPLOAD: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/pdf": _PDF_BODY, "multipart/form-data": _FORM_BODY}}
}
_ADDED = "A `DocumentView` for a PDF sent as the body; a list of them for a form."


@router.post(
    "/collections/{collection}/documents",
    summary="Upload PDFs",
    status_code=202,
    response_model=DocumentView | ListPage[DocumentView],
    response_description=f"Taken in and on their way. {_ADDED}",
    responses={
        200: {"model": DocumentView | ListPage[DocumentView], "description": f"All of them stood there already. {_ADDED}"}
    },
    openapi_extra=_UPLOAD,
)
async def upload_documents(
    parts: PartsOf,
    _: Writer,
    request: Request,
    collection: Collection,
    once: OnceOf,
    filename: Annotated[str | None, Query(max_length=1_000, description="Name of a PDF sent as the body.")] = None,
) -> JSONResponse:
    """A PDF as the body (`application/pdf`, named by `filename` or Content-Disposition), or a form of files. The collection
    is made where there is none. The same bytes twice are the same document. A form is taken in whole or not at all."""
    if not is_name(collection):
        raise InvalidInput(
            f"{collection!r} cannot name a collection: use lower-case letters, digits, dots, dashes, underscores."
        )
    async with received(parts.store, request, filename, parts.settings.max_upload_bytes) as files:
        form = is_form(request.headers.get("content-type", ""))
        return await run_in_threadpool(_added, parts, once, collection, files, form)


def _added(parts: Parts, once: Once, collection: str, files: list[Received], form: bool) -> JSONResponse:
    asked = [(file.filename, file.sha256) for file in files]
    return once.answer([form, asked], lambda: _add(parts, collection, files, form))


def _add(parts: Parts, collection: str, files: list[Received], form: bool) -> Reply:
    for file in files:
        require_not_forgotten(parts.store, file.sha256)
    new = [parts.records.add_document(collection, file.path, file.filename, file.sha256, file.size_bytes) for file in files]
    views = [document_of(parts.catalog, collection, file.sha256) for file in files]
    shelf = f"/v1/collections/{collection}/documents"
    headers = {"Location": f"{shelf}/{views[0].id}" if len(views) == 1 else shelf}
    if len(views) == 1:
        headers["Link"] = f'</v1/jobs/{views[0].job}>; rel="monitor"'
    body = ListPage[DocumentView](items=tuple(views)) if form else views[0]
    return Reply(202 if any(new) else 200, body, headers)


@router.get("/collections/{collection}/documents", summary="List a collection's documents")
def list_documents(
    parts: PartsOf,
    _: Reader,
    collection: Collection,
    paging: PagingOf,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
) -> ListPage[DocumentView]:
    """Newest first, without their stages."""
    collection_of(parts.catalog, collection)
    return paging.page(parts.catalog.documents(paging.slice, collection, state), lambda one: (one.added_at, one.id))


@router.get("/documents/{document}", summary="Find a document")
def find_document(parts: PartsOf, _: Reader, document: DocumentId) -> ListPage[DocumentView]:
    """On each shelf it stands on, with its stages."""
    return ListPage(items=tuple(places_of(parts.catalog, document)))


@router.get("/collections/{collection}/documents/{document}", summary="See a document")
def get_document(parts: PartsOf, _: Reader, collection: Collection, document: DocumentId) -> DocumentView:
    """How far it has come, what each stage made of it and how long that took, or why it was refused and what to do."""
    return document_of(parts.catalog, collection, document)


def _file(media_type: str, description: str) -> dict[str, Any]:
    return {
        "response_class": Response,
        "responses": {
            200: {
                "description": description,
                "content": {media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    }


@router.delete("/collections/{collection}/documents/{document}", summary="Take a document off a shelf", status_code=204)
def remove_document(parts: PartsOf, _: Writer, collection: Collection, document: DocumentId) -> None:
    """Off this shelf alone: it stays on its others, with its results, and in datasets that were built of it. 409 where it
    stands on no other; `POST /v1/documents/{document}/forget` removes a document altogether."""
    parts.records.remove_document(collection, document_of(parts.catalog, collection, document).id)


@router.get(
    "/collections/{collection}/documents/{document}/source", summary="Download the PDF", **_file(PDF, "The PDF as it came in.")
)
def download_source(parts: PartsOf, _: Reader, request: Request, collection: Collection, document: DocumentId) -> Response:
    """The bytes as they were uploaded; ranges are honoured."""
    view = document_of(parts.catalog, collection, document)
    path = layout.source(view.id)
    if parts.store.size(path) != view.size_bytes:
        raise NotFound(f"The bytes of {view.id} are not in the object store.")
    return download(parts.store, File(path=path, size_bytes=view.size_bytes, sha256=view.id), request, view.filename, PDF)


@router.get(
    "/collections/{collection}/documents/{document}/mmd", summary="Download the MMD", **_file(MARKDOWN, "Markdown with LaTeX.")
)
def download_mmd(
    parts: PartsOf,
    _: Reader,
    request: Request,
    collection: Collection,
    document: DocumentId,
    clean: Annotated[bool, Query(description="After cleaning, rather than as extracted.")] = False,
) -> Response:
    """What extraction read off the pages, personal data with it; or, `clean`, what cleaning left of it, masked as the
    collection's settings say."""
    stage, name = ("cleaning", "clean.mmd") if clean else ("extraction", "document.mmd")
    return _result(parts, request, collection, document, stage, name, ".mmd", MARKDOWN)


@router.get(
    "/collections/{collection}/documents/{document}/pages", summary="Download the page map", **_file(JSONL, "A page a line.")
)
def download_pages(parts: PartsOf, _: Reader, request: Request, collection: Collection, document: DocumentId) -> Response:
    """Every block of every page, with its box and the characters of the MMD that it became."""
    return _result(parts, request, collection, document, "extraction", "pages.jsonl", "_pages.jsonl", JSONL)


@router.get(
    "/collections/{collection}/documents/{document}/chunks", summary="Download the chunks", **_file(JSONL, "A chunk a line.")
)
def download_chunks(parts: PartsOf, _: Reader, request: Request, collection: Collection, document: DocumentId) -> Response:
    """Runs of whole sentences, each with the pages and boxes it came from."""
    return _result(parts, request, collection, document, "screening", "chunks.jsonl", "_chunks.jsonl", JSONL)


@router.get(
    "/collections/{collection}/documents/{document}/garbage", summary="Download the garbage", **_file(JSONL, "An item a line.")
)
def download_garbage(parts: PartsOf, _: Reader, request: Request, collection: Collection, document: DocumentId) -> Response:
    """Text that was set aside, and why: `<document>_garbage.jsonl`."""
    return _result(parts, request, collection, document, "screening", "garbage.jsonl", "_garbage.jsonl", JSONL)


def _result(
    parts: Parts, request: Request, collection: str, document: str, stage: str, name: str, ending: str, media_type: str
) -> Response:
    view = document_of(parts.catalog, collection, document)
    file = result_file(parts.store, parts.catalog, view, stage, name)
    return download(parts.store, file, request, PurePosixPath(view.filename).stem + ending, media_type)

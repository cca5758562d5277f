"""Labels of lines: said of a document's lines, listed, and downloaded as the pages that taggers learn from."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import JSONL
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.line_labels import labelled_pages, say
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.documents import DocumentId
from services.gateway.routes.ledger import OnShelf
from services.gateway.shelves import document_of, places_of
from shared.contracts.base import Contract
from shared.contracts.documents import LineLabel
from shared.contracts.line_labels import LineWordView
from shared.contracts.views import DocumentView, ListPage

router = APIRouter(prefix="/v1", tags=["review"])

MOST_LABELS = 500


class LineLabelRequest(Contract):
    """A line of the page map, and what it is."""

    page: int = Field(ge=1)
    block: int = Field(ge=0, description="Blocks of a page count from 0.")
    line: int = Field(ge=0, description="Lines of a block count from 0.")
    label: LineLabel | None = Field(description="Null takes your earlier word back.")


class LineLabelsRequest(Contract):
    """Labels of lines of one document, all or none."""

    labels: tuple[LineLabelRequest, ...] = Field(min_length=1, max_length=MOST_LABELS)


@router.post(
    "/documents/{document}/line-labels", summary="Label lines", status_code=201, response_model=ListPage[LineWordView],
    response_description="The labels as they were written down.",
)  # fmt: skip
def post_line_labels(
    request: Request, parts: PartsOf, caller: Writer, once: OnceOf, document: DocumentId, asked: LineLabelsRequest,
    collection: OnShelf = None,
) -> JSONResponse:  # fmt: skip
    """Say of up to 500 lines of a document what they are, for the tagger of lines to learn from. The reviewer is the key's
    name; a later word of the same reviewer on the same line counts in place of an earlier one, and null takes it back."""
    view = on_shelf(parts, document, collection)
    said = [((one.page, one.block, one.line), one.label) for one in asked.labels]

    def make() -> Reply:
        views = say(parts, request.app.state.line_orders, caller.name, view, said)
        return Reply(201, ListPage[LineWordView](items=tuple(views)))

    return once.answer(asked.model_dump(mode="json") | {"document": view.id}, make)


@router.get("/documents/{document}/line-labels", summary="List labels of lines")
def list_line_labels(parts: PartsOf, _: Reader, paging: PagingOf, document: DocumentId) -> ListPage[LineWordView]:
    """Each reviewer's latest word on each line of a document, newest first."""
    words = parts.catalog.line_words(paging.slice, places_of(parts.catalog, document)[0].id)
    views = [LineWordView(sequence=sequence, word=word) for sequence, word in words]
    return paging.page(views, lambda one: (one.word.at, f"{one.word.document}/{one.sequence:08d}"))


@router.get(
    "/line-labels", summary="Download labelled pages", response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}}, "description": "A labelled page a line."}},
)  # fmt: skip
def download_line_labels(parts: PartsOf, _: Reader) -> StreamingResponse:
    """Every page that people labelled lines of, with its page map: what `lectern cleaner train --from` takes. Lines that nobody
    labelled, or reviewers do not agree on, are null."""

    def lines() -> Iterator[bytes]:
        for page in labelled_pages(parts):
            yield page.model_dump_json().encode() + b"\n"

    return StreamingResponse(lines(), media_type=JSONL)


def on_shelf(parts: Parts, document: str, collection: str | None) -> DocumentView:
    """A document where it stands, or on the shelf that is named. Raises NotFound, Conflict, InvalidInput."""
    return document_of(parts.catalog, collection, document) if collection else places_of(parts.catalog, document)[0]

"""Forgetting: a document and everything that came from it leave; a receipt and a tombstone stay."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from services.gateway.auth import Admin, Reader
from services.gateway.chores.forgetting import survey
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.documents import DocumentId
from services.gateway.shelves import places_of
from shared import layout
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.forgetting import Forgetting, ForgottenView, Receipt
from shared.contracts.views import ListPage
from shared.errors import Conflict, InvalidInput, NotFound
from shared.indexing import index_forgotten
from shared.objects import Series
from shared.tombstones import tombstone

router = APIRouter(prefix="/v1", tags=["forgetting"])

WholeId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the document's bytes, in hex.")]


class ForgetRequest(Contract):
    """A document to be forgotten, said twice so that no slip does it."""

    confirm: str = Field("", max_length=64, description="The document's whole id. Not needed for a dry run.")
    dry_run: bool = Field(False, description="Only say what would be removed and what saw the document.")
    why: str = Field("", max_length=500, description="Kept in the receipt. Write nothing of the document here.")


@router.post(
    "/documents/{document}/forget",
    summary="Forget a document",
    status_code=202,
    response_model=ForgottenView | Receipt,
    responses={200: {"model": Receipt, "description": "A dry run: the receipt as it would begin."}},
)
def forget_document(
    parts: PartsOf, caller: Admin, document: DocumentId, asked: ForgetRequest, response: Response
) -> ForgottenView | Receipt:
    """Removes the PDF and everything that came from it under any settings: pages, text, garbage, chunks, labels, and its
    lines in every dataset. The receipt lists what saw it. Models are not changed: one that was tuned on the document may
    still know what it said, and is marked so. 202 with a job to watch."""
    found = places_of(parts.catalog, document)[0].id
    if asked.dry_run:
        response.status_code = 200
        return survey(parts.records, found)
    if asked.confirm != found:
        raise InvalidInput(f"Forgetting cannot be undone: repeat the document's whole id, {found}, as `confirm`.")
    _require_settled(parts, found)
    wish = Forgetting(document=found, kind="forget", why=asked.why, by=caller.id, at=now())
    Series(parts.store, layout.forgotten(found)).append(wish)
    return _going(parts, found, response)


@router.get("/forgotten", summary="List tombstones")
def list_forgotten(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[ForgottenView]:
    """Documents that were forgotten, each with its receipt; newest first."""
    return paging.page(parts.catalog.all_forgotten(paging.slice), lambda one: (one.at, one.document))


@router.get("/forgotten/{document}", summary="See a receipt")
def get_forgotten(parts: PartsOf, _: Reader, document: WholeId) -> ForgottenView:
    """What was removed, and which datasets, runs, models and deployments had seen the document."""
    return _forgotten(parts, document)


@router.delete("/forgotten/{document}", summary="Lift a tombstone")
def lift_tombstone(parts: PartsOf, caller: Admin, document: WholeId) -> ForgottenView:
    """The document may be uploaded again. Nothing comes back by itself, and the receipt stays."""
    standing = _forgotten(parts, document)
    if standing.state == "forgetting":
        raise Conflict(f"The document is still being removed; watch {standing.job}, then lift it.")
    if standing.state == "forgotten":
        Series(parts.store, layout.forgotten(document)).append(
            Forgetting(document=document, kind="lift", by=caller.id, at=now())
        )
        index_forgotten(parts.store, parts.catalog, document)
    return _forgotten(parts, document)


def _going(parts: Parts, document: str, response: Response) -> ForgottenView:
    job = index_forgotten(parts.store, parts.catalog, document)
    response.headers["Location"] = f"/v1/forgotten/{document}"
    response.headers["Link"] = f'</v1/jobs/{job}>; rel="monitor"'
    parts.woken.set()
    return _forgotten(parts, document)


def _require_settled(parts: Parts, document: str) -> None:
    if tombstone(parts.store, document) is not None:
        raise Conflict(f"Document {document} is being forgotten already; see `GET /v1/forgotten/{document}`.")


def _forgotten(parts: Parts, document: str) -> ForgottenView:
    found = parts.catalog.forgotten(document)
    if found is None:
        raise NotFound(f"Document {document} was never forgotten.")
    return found

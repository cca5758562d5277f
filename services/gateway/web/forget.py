"""Forgetting a document: what it touched is shown before, and asked for twice; the receipt is shown after."""

from fastapi import Request, Response

from services.gateway.parts import PartsOf
from services.gateway.routes.documents import DocumentId
from services.gateway.routes.forgetting import ForgetRequest, WholeId, forget_document, get_forgotten, lift_tombstone
from services.gateway.shelves import document_of
from services.gateway.web.entry import Admin, ByAdmin, Viewer
from services.gateway.web.pages import back, page, router
from services.gateway.web.shelf import Collection
from shared.errors import InvalidInput

routes = router()


@routes.get("/shelf/{collection}/documents/{document}/forget")
def ask(request: Request, parts: PartsOf, session: Admin, collection: Collection, document: DocumentId) -> Response:
    """What would be removed, and what saw the document."""
    view = document_of(parts.catalog, collection, document)
    receipt = forget_document(parts, session.key, view.id, ForgetRequest(dry_run=True), Response())
    return page(request, session, "forget.html", here="shelf", document=view, receipt=receipt)


@routes.post("/shelf/{collection}/documents/{document}/forget")
def forget(parts: PartsOf, posted: ByAdmin, collection: Collection, document: DocumentId) -> Response:
    view = document_of(parts.catalog, collection, document)
    if posted.get("confirm") != view.id[:8]:
        raise InvalidInput(f"Nothing was forgotten: type {view.id[:8]}, the beginning of the document's id, to confirm.")
    forget_document(parts, posted.session.key, view.id, ForgetRequest(confirm=view.id, why=posted.get("why")), Response())
    return back(f"/forgotten/{view.id}")


@routes.get("/forgotten/{document}")
def forgotten(request: Request, parts: PartsOf, session: Viewer, document: WholeId) -> Response:
    """The tombstone and the receipt."""
    view = get_forgotten(parts, session.key, document)
    return page(request, session, "forgotten.html", here="operate", view=view, after=parts.catalog.latest_event())


@routes.post("/forgotten/{document}/lift")
def lift(parts: PartsOf, posted: ByAdmin, document: WholeId) -> Response:
    lift_tombstone(parts, posted.session.key, document)
    return back(f"/forgotten/{document}")

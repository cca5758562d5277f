"""Labels of lines: the lines of a document that the tagger was least sure of, one at a time, with its guess to correct."""

from dataclasses import dataclass
from typing import Annotated, get_args

from fastapi import Query, Request, Response

from services.gateway.line_labels import LineOrders, Place, extraction_of, lines_file, say
from services.gateway.pagination import decode_cursor, encode_cursor
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.documents import DocumentId
from services.gateway.shelves import document_of
from services.gateway.web.entry import ByReviewer, Reviewer
from services.gateway.web.pages import back, page, router
from services.gateway.web.shelf import Collection
from services.gateway.web.sizes import page_size
from shared.catalog.protocol import Slice
from shared.contracts.documents import LineFate, LineLabel
from shared.contracts.views import DocumentView
from shared.errors import InvalidInput

routes = router()

LABELS: tuple[LineLabel, ...] = get_args(LineLabel)
KEYS = dict(zip(LABELS, "1234567890", strict=True))
AROUND = 4
DOCUMENTS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A line with those around it, and the page that it is on."""

    line: LineFate
    around: list[LineFate]
    width: float
    height: float

    @property
    def name(self) -> str:
        return encode_cursor(self.line.page, self.line.block, self.line.line)


@routes.get("/review/lines")
def choose(
    request: Request, parts: PartsOf, session: Reviewer, collection: Annotated[str, Query(max_length=63)] = ""
) -> Response:
    """Documents whose lines can be labelled, newest first."""
    documents = parts.catalog.documents(Slice(DOCUMENTS), collection or None, "done")
    return page(
        request, session, "lines_choose.html", here="review", documents=documents, collection=collection,
        collections=parts.catalog.collections(Slice(100)),
    )  # fmt: skip


@routes.get("/review/lines/{collection}/{document}")
def lines(
    request: Request, parts: PartsOf, session: Reviewer, collection: Collection, document: DocumentId,
    skipped: Annotated[int, Query(ge=0, le=1_000_000)] = 0, last: Annotated[str, Query(max_length=100)] = "",
) -> Response:  # fmt: skip
    """The line that the tagger was least sure of among those that this reviewer said nothing of."""
    view = document_of(parts.catalog, collection, document)
    orders: LineOrders = request.app.state.line_orders
    file = lines_file(parts, view)
    order = orders.of(file)
    said = _said(parts, view, session.key.name)
    left = [place for place in order.unsure if place not in said][skipped : skipped + 1]
    shown = _shown(request, parts, view, left[0]) if left else None
    return page(
        request, session, "lines.html", here="review", document=view, shown=shown, keys=KEYS, last=last, skipped=skipped,
        said=len(said), total=len(order.standing),
    )  # fmt: skip


@routes.post("/review/lines/{collection}/{document}")
def label(request: Request, parts: PartsOf, posted: ByReviewer, collection: Collection, document: DocumentId) -> Response:
    """What a line is; an empty label takes the reviewer's word back."""
    view = document_of(parts.catalog, collection, document)
    chosen = posted.get("label")
    if chosen and chosen not in LABELS:
        raise InvalidInput(f"{chosen!r} is no label of lines: {', '.join(LABELS)}.")
    found: LineLabel | None = next((one for one in LABELS if one == chosen), None)
    at, number, line = (int(part) for part in decode_cursor(posted.get("line"), int, int, int))
    say(parts, request.app.state.line_orders, posted.session.key.name, view, [((at, number, line), found)])
    skipped = posted.get("skipped", "0")
    query = f"skipped={int(skipped) if skipped.isdecimal() else 0}" + (f"&last={posted.get('line')}" if found else "")
    return back(f"/review/lines/{collection}/{view.id}?{query}")


def _said(parts: Parts, view: DocumentView, reviewer: str) -> set[Place]:
    words = parts.catalog.line_words_of(view.id, extraction_of(parts, view))
    return {(one.page, one.block, one.line) for _, one in words if one.reviewer == reviewer and one.label is not None}


def _shown(request: Request, parts: Parts, view: DocumentView, place: Place) -> Shown:
    orders: LineOrders = request.app.state.line_orders
    file = lines_file(parts, view)
    at = orders.of(file).numbers[place]
    around = orders.around(file, at - AROUND, at + AROUND + 1)
    line = next(one for one in around if (one.page, one.block, one.line) == place)
    size = page_size(parts, request.app.state.leaves, view.collection, view.id, line.page)
    return Shown(line, [one for one in around if one.page == line.page], *size)

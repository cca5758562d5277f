"""Review: texts that screening is least sure of, one at a time and one key each, and what was learned from the answers."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, cast, get_args

from fastapi import Query, Request, Response

from services.gateway.leaves import Leaves
from services.gateway.pagination import decode_cursor, encode_cursor
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.review import summary_of
from services.gateway.web.entry import ByReviewer, Reviewer
from services.gateway.web.pages import back, page, router
from services.gateway.web.sizes import page_size
from shared.catalog.protocol import Placed, Slice
from shared.contracts.documents import Box
from shared.contracts.review import ClassifierResult, Lane, Verdict
from shared.errors import InvalidInput
from shared.reviews import Reviews, Word

routes = router()

LANES: tuple[Lane, ...] = get_args(Lane)
AT_ONCE = 20
VERSIONS = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A text to review, with the place it stands at. `boxes` are on `page`, which is `width` by `height` points."""

    place: Placed
    filename: str
    text: str
    page: int
    boxes: tuple[Box, ...]
    score: float | None
    threshold: float | None
    width: float = 0.0
    height: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.place.document}/{self.place.id}"


@routes.get("/review")
def review(
    request: Request, parts: PartsOf, session: Reviewer, lane: Lane | None = None,
    collection: Annotated[str, Query(max_length=63)] = "", after: Annotated[str, Query(max_length=400)] = "",
    last: Annotated[str, Query(max_length=200)] = "",
) -> Response:  # fmt: skip
    """The text that nobody spoke of yet and that would teach the most, and those that come after it."""
    catalog = parts.catalog
    lanes: tuple[Lane, ...] = (lane,) if lane else LANES
    found: list[Placed] = []
    chosen = lanes[0]
    for chosen in lanes:
        found = catalog.reviewables(chosen, AT_ONCE + 1, _place(after), collection or None, session.key.name)
        if found:
            break
    first = _shown(parts, found[0], request.app.state.leaves) if found else None
    return page(
        request, session, "review.html", here="review", item=first, coming=[_shown(parts, one) for one in found[1:]],
        lane=chosen, lanes=LANES, collection=collection, collections=catalog.collections(Slice(100)), last=last, after=after,
        skip=encode_cursor(str(found[0].rank), found[0].id) if found else "", summary=summary_of(parts),
        every=parts.settings.retrain_labels, versions=_versions(parts),
    )  # fmt: skip


@routes.post("/review")
def say(parts: PartsOf, posted: ByReviewer) -> Response:
    """A reviewer's word on one text, or on several at once; `as-it-stands` agrees with what was decided."""
    verdict = posted.get("verdict")
    pairs = [one.partition("/") for one in posted.several.get("item", [])]
    if not pairs or not all(identity for _, _, identity in pairs):
        raise InvalidInput("Nothing was chosen: go back and choose a text.")
    words = [Word(document, item, _verdict(parts, document, item, verdict)) for document, _, item in pairs]
    Reviews(parts.records).say(posted.session.key.name, words)
    kept = {name: posted.get(name) for name in ("lane", "collection") if posted.get(name)}
    if verdict != "withdrawn" and len(pairs) == 1:
        kept["last"] = "/".join((pairs[0][0], pairs[0][2]))
    query = "&".join(f"{name}={value}" for name, value in kept.items())
    return back(f"/review?{query}")


@routes.post("/review/retrain")
def retrain(parts: PartsOf, _: ByReviewer) -> Response:
    """A version of the classifier from all that was said so far."""
    Reviews(parts.records).wish_classifier()
    return back("/review")


def _verdict(parts: Parts, document: str, item: str, said: str) -> Verdict:
    if said == "as-it-stands":
        placed = parts.catalog.reviewable(document, item)
        return "good" if placed is not None and placed.decision == "kept" else "garbage"
    if said not in get_args(Verdict):
        raise InvalidInput(f"{said!r} is no verdict: garbage, good or withdrawn.")
    return cast(Verdict, said)


def _place(after: str) -> tuple[float, str] | None:
    if not after:
        return None
    rank, identity = decode_cursor(after, str, str)
    try:
        return float(rank), str(identity)
    except ValueError:
        raise InvalidInput("There is no such place in the queue: begin at /review.") from None


def _shown(parts: Parts, placed: Placed, leaves: Leaves | None = None) -> Shown:
    """The text itself from the store; with `leaves`, the name of its document and the size of its page too."""
    told: dict[str, Any] = json.loads(parts.store.read_range(placed.path, placed.start, placed.end))
    spans = told.get("spans") or [{"page": told.get("page", 1), "box": told.get("box")}]
    number = int(spans[0]["page"])
    boxes = tuple(cast(Box, tuple(span["box"])) for span in spans if span["page"] == number and span["box"])
    view = parts.catalog.document(placed.collection, placed.document) if leaves is not None else None
    width, height = page_size(parts, leaves, placed.collection, placed.document, number) if leaves is not None else (0.0, 0.0)
    return Shown(
        placed, view.filename if view else placed.document[:12], told["text"], number, boxes, told.get("score"),
        told.get("threshold"), width, height,
    )  # fmt: skip


def _versions(parts: Parts) -> list[dict[str, Any]]:
    """The classifier's versions, newest first, each with how it compares on held-out labels."""
    found = []
    for view in parts.catalog.classifiers(Slice(VERSIONS)):
        done = [stage.result for stage in view.stages if stage.state == "done"]
        found.append({"view": view, "result": ClassifierResult.model_validate(done[-1]) if done else None})
    return found

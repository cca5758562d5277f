"""A document, page by page: the picture beside the text it became, what was left out and why, and other settings tried."""

import difflib
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import ValidationError

from services.gateway.leaves import Leaves, of_number, of_page, of_spans
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import field_errors
from services.gateway.routes.documents import DocumentId
from services.gateway.routes.ledger import get_ledger
from services.gateway.sessions import Session
from services.gateway.shelves import collection_of, document_of, places_of, stage_key
from services.gateway.web import forms
from services.gateway.web.entry import ByReviewer, Reviewer, Viewer
from services.gateway.web.fates import parts_of
from services.gateway.web.pages import back, page, router
from services.gateway.web.pictures import Pictures
from services.gateway.web.shelf import Collection
from services.gateway.web.words import on_the_way
from shared import layout
from shared.contracts.documents import Chunk, GarbageItem, LineFate, Page, ProcessingParameters
from shared.contracts.ledger import DocumentLedger
from shared.contracts.views import FINISHED, DocumentView
from shared.contracts.work import File
from shared.errors import Conflict, InvalidInput, NotFound
from shared.keys import is_name
from shared.results import committed

routes = router()

PageNumber = Annotated[int, Path(ge=1, le=1_000_000)]

LEDGER_PAGES = 200
DIFFERENCE_BYTES = 400_000
DIFFERENCE_LINES = 600


@routes.get("/shelf/{collection}/documents/{document}")
def document(
    request: Request, parts: PartsOf, session: Viewer, collection: Collection, document: DocumentId,
    page_number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Response:  # fmt: skip
    """One page of it at a time."""
    view = document_of(parts.catalog, collection, document)
    files = _files(parts, view)
    leaves: Leaves = request.app.state.leaves
    leaf = _leaf(leaves, files, page_number)
    chunks = _read(leaves, files.get("chunks.jsonl"), page_number, of_spans, Chunk)
    garbage = _read(leaves, files.get("garbage.jsonl"), page_number, of_page, GarbageItem)
    lines = _read(leaves, files.get("lines.jsonl"), page_number, of_page, LineFate)
    results = {stage.stage: stage for stage in view.stages}
    total = int(results["extraction"].result.get("pages", 0)) if "extraction" in results else 0
    return page(
        request, session, "document.html", here="shelf", document=view, leaf=leaf, number=page_number, total=total,
        parts=parts_of(leaf, lines, chunks, garbage) if leaf else [], chunks=chunks,
        results=results, told=on_the_way(view.state, view.stage), open=view.state not in FINISHED,
        after=parts.catalog.latest_event(), others=_others(parts, view), ledger=_ledger(parts, session, view),
    )  # fmt: skip


@routes.get("/shelf/{collection}/documents/{document}/pages/{number}.webp")
def picture(
    request: Request, parts: PartsOf, _: Viewer, collection: Collection, document: DocumentId, number: PageNumber
) -> Response:
    """The page as it looks."""
    view = document_of(parts.catalog, collection, document)
    pictures: Pictures = request.app.state.pictures
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(pictures.of(view.id, number), media_type="image/webp", headers=headers)


@routes.get("/shelf/{collection}/documents/{document}/rerun")
def other_settings(
    request: Request, parts: PartsOf, session: Reviewer, collection: Collection, document: DocumentId
) -> Response:
    """The same document under other settings: on a shelf of its own, so that nothing that stands is changed."""
    view = document_of(parts.catalog, collection, document)
    values = collection_of(parts.catalog, collection).parameters.model_dump(mode="json")
    return _rerun(request, session, view, f"{collection[:57]}-trial", values, ())


@routes.post("/shelf/{collection}/documents/{document}/rerun")
def rerun(request: Request, parts: PartsOf, posted: ByReviewer, collection: Collection, document: DocumentId) -> Response:
    view = document_of(parts.catalog, collection, document)
    name = posted.get("name")
    if not is_name(name) or name == collection:
        raise InvalidInput(f"{name!r} cannot name the trial's collection: choose another, of lower-case letters and dashes.")
    values = forms.values(ProcessingParameters, collection_of(parts.catalog, collection).parameters, posted.several)
    try:
        parameters = ProcessingParameters.model_validate(values)
    except ValidationError as error:
        return _rerun(request, posted.session, view, name, values, field_errors(error.errors()))
    standing = parts.catalog.collection(name)
    if standing is None or standing.parameters != parameters:
        parts.records.set_parameters(name, parameters)
        parts.woken.set()
    parts.records.add_document(name, layout.source(view.id), view.filename, view.id, view.size_bytes)
    return back(f"/shelf/{collection}/documents/{view.id}/difference?other={name}")


def _rerun(request: Request, session: Any, view: DocumentView, name: str, values: Any, wrong: Any) -> Response:
    return page(
        request, session, "rerun.html", status=422 if wrong else 200, here="shelf", document=view, name=name,
        groups=forms.groups(ProcessingParameters, values), wrong=wrong,
    )  # fmt: skip


@routes.get("/shelf/{collection}/documents/{document}/difference")
def difference(
    request: Request, parts: PartsOf, session: Viewer, collection: Collection, document: DocumentId,
    other: Annotated[str, Query(max_length=63)],
) -> Response:  # fmt: skip
    """What two collections' settings make of the same document, line against line."""
    mine, theirs = document_of(parts.catalog, collection, document), document_of(parts.catalog, other, document)
    lines, why = _difference(parts, mine, theirs)
    return page(
        request, session, "difference.html", here="shelf", mine=mine, theirs=theirs, lines=lines, why=why,
        figures=_figures(mine, theirs), changed=_changed(parts, collection, other),
        open=[one.job for one in (mine, theirs) if one.state not in FINISHED], after=parts.catalog.latest_event(),
    )  # fmt: skip


def _difference(parts: Parts, mine: DocumentView, theirs: DocumentView) -> tuple[list[tuple[str, str]], str]:
    files = [_files(parts, one).get("clean.mmd") for one in (mine, theirs)]
    if None in files:
        return [], "The texts can be compared when both are cleaned."
    if sum(file.size_bytes for file in files if file) > DIFFERENCE_BYTES:
        return [], "These texts are too long to be compared here; download both."
    before, after = (parts.store.read(file.path).decode().splitlines() for file in files if file)
    found = [(line[:1], line[1:]) for line in list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]]
    if not found:
        return [], "Both texts are the same, to the letter."
    more = "" if len(found) <= DIFFERENCE_LINES else f"Only the first {DIFFERENCE_LINES} lines of the difference are shown."
    return found[:DIFFERENCE_LINES], more


def _figures(mine: DocumentView, theirs: DocumentView) -> list[tuple[str, str, Any, Any]]:
    """What the stages counted, where it is a number."""
    results = [{stage.stage: stage.result for stage in one.stages if stage.state == "done"} for one in (mine, theirs)]
    return [
        (stage, name.replace("_", " "), value, results[1].get(stage, {}).get(name))
        for stage, counted in results[0].items()
        for name, value in counted.items()
        if isinstance(value, int) and not isinstance(value, bool) and name != "schema_version"
    ]


def _changed(parts: Parts, one: str, other: str) -> list[tuple[str, Any, Any]]:
    flat = [_flat(collection_of(parts.catalog, name).parameters.model_dump(mode="json")) for name in (one, other)]
    return [(name, flat[0].get(name), value) for name, value in flat[1].items() if flat[0].get(name) != value]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _ledger(parts: Parts, session: Session, view: DocumentView) -> DocumentLedger | None:
    """What became of its pages: all sums, and the first pages one by one."""
    found = get_ledger(parts, session.key, view.id, view.collection, LEDGER_PAGES, None)
    return found if found.pages.read else None


def _others(parts: Parts, view: DocumentView) -> list[str]:
    """The other shelves it stands on."""
    try:
        return [one.collection for one in places_of(parts.catalog, view.id) if one.collection != view.collection]
    except (Conflict, NotFound):
        return []


def _files(parts: Parts, view: DocumentView) -> dict[str, File]:
    """What its stages made under the settings of its collection; the last stage's word counts where two use a name."""
    parameters = collection_of(parts.catalog, view.collection).parameters
    found: dict[str, File] = {}
    for stage in ("extraction", "cleaning", "chunking", "screening"):
        manifest = committed(parts.store, stage, stage_key(stage, view.id, parameters))
        found |= manifest.files if manifest else {}
    return found


def _leaf(leaves: Leaves, files: dict[str, File], number: int) -> Page | None:
    found = _read(leaves, files.get("pages.jsonl"), number, of_number, Page)
    return found[0] if found else None


def _read(leaves: Leaves, file: File | None, number: int, pages_of: Any, contract: Any) -> list[Any]:
    if file is None:
        return []
    return [contract.model_validate_json(line) for line in leaves.lines(file, number, pages_of)]

"""Preference sets: what alignment learns from, built from feedback or from a file, and never changed afterwards."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import JSONL, download
from services.gateway.filenames import tame
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.preference_sets import Wanted, set_called, set_of_feedback, set_of_file
from services.gateway.uploads import capped
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.preferences import PreferenceParameters, PreferenceSet
from shared.contracts.views import ListPage
from shared.ids import short

router = APIRouter(prefix="/v1/preferences", tags=["feedback"])

SetId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the preference set.")]

_LINES: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/jsonl": {"schema": {"type": "string", "format": "binary"}}}}
}


class PreferencesRequest(Contract):
    """A set to be made of the feedback as it stands now."""

    name: str = Field(examples=["thumbs"])
    model: str = Field("", max_length=200, description="Only of feedback on answers of this model.")
    parameters: PreferenceParameters = PreferenceParameters()


class PreferenceSetView(PreferenceSet):
    """A preference set and its id."""

    id: str


@router.post(
    "", summary="Build a preference set", status_code=201, response_model=PreferenceSetView,
    responses={200: {"model": PreferenceSetView}},
)  # fmt: skip
def build_preferences(parts: PartsOf, caller: Writer, once: OnceOf, asked: PreferencesRequest) -> JSONResponse:
    """Of feedback: corrections against what they correct, answers rated up against those rated down. The same pairs are the
    same set: 200 where it stood already. No pair at all is refused (422, `no-preferences`)."""
    wanted = Wanted(asked.name, caller.name, asked.parameters, model=asked.model)
    return once.answer(asked.model_dump(mode="json"), lambda: _reply(*set_of_feedback(parts, wanted)))


@router.post(
    "/upload", summary="Upload preferences", status_code=201, response_model=PreferenceSetView,
    responses={200: {"model": PreferenceSetView}}, openapi_extra=_LINES,
)  # fmt: skip
async def upload_preferences(
    parts: PartsOf,
    caller: Writer,
    request: Request,
    name: Annotated[str, Query(max_length=63, description="What to call the set.")],
    filename: Annotated[str, Query(max_length=1_000, description="Where the pairs come from.")] = "pairs.jsonl",
    heldout_share: Annotated[float, Query(ge=0, lt=0.9)] = PreferenceParameters().heldout_share,
    seed: int = PreferenceParameters().seed,
) -> JSONResponse:
    """JSON lines with `prompt`, `chosen` and `rejected`; optionally `mode` (chat or completion) and `evidence` (ids of the
    documents whose text they hold, with which they are forgotten). Rows that are no pair are counted by reason: not-json,
    not-a-pair, empty, same-answers, too-long, repeated."""
    parameters = PreferenceParameters(heldout_share=heldout_share, seed=seed)
    path, sha = layout.upload(secrets.token_hex(16)), hashlib.sha256()

    async def hashed() -> AsyncIterator[bytes]:
        async for block in capped(request.stream(), parts.settings.max_upload_bytes):
            sha.update(block)
            yield block

    try:
        await parts.store.receive(path, hashed())
        wanted = Wanted(name, caller.name, parameters, filename=tame(filename), file_sha256=sha.hexdigest())
        return await run_in_threadpool(_of_upload, parts, path, wanted)
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(parts.store.delete, path)


def _of_upload(parts: Parts, path: str, wanted: Wanted) -> JSONResponse:
    reply = _reply(*set_of_file(parts, wanted, parts.store.stream(path)))
    return JSONResponse(reply.body.model_dump(mode="json"), reply.status, reply.headers)


def _reply(made: PreferenceSet, new: bool) -> Reply:
    view = view_of(made)
    return Reply(201 if new else 200, view, {"Location": f"/v1/preferences/{view.id}"})


@router.get("", summary="List preference sets")
def list_preferences(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[PreferenceSetView]:
    """Newest first."""
    found = [view_of(one) for one in parts.catalog.preference_sets(paging.slice)]
    return paging.page(found, lambda one: (one.created_at, one.id))


@router.get("/{preferences}", summary="See a preference set")
def get_preferences(parts: PartsOf, _: Reader, preferences: SetId) -> PreferenceSetView:
    """Its pairs in numbers, where they come from, what was refused, and which documents were forgotten in it since."""
    return view_of(set_called(parts, preferences))


@router.get(
    "/{preferences}/download", summary="Download a preference set", response_class=Response,
    responses={200: {"content": {"application/jsonl": {}}, "description": "A `Preference` a line."}},
)  # fmt: skip
def download_preferences(
    parts: PartsOf,
    _: Reader,
    request: Request,
    preferences: SetId,
    split: Annotated[Literal["train", "heldout"], Query(description="Which part of it.")] = "train",
) -> Response:
    """Each pair with the feedback that it follows from and the documents that it may hold text of."""
    found = set_called(parts, preferences)
    return download(parts.store, found.files[f"{split}.jsonl"], request, f"{found.name}-{split}.jsonl", JSONL)


def view_of(found: PreferenceSet) -> PreferenceSetView:
    return PreferenceSetView(**dict(found), id=short(found.key))

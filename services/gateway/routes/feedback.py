"""Feedback: thumbs and corrections on answers, and the pairs of answers that they prefer."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import JSONL
from services.gateway.pagination import PagingOf
from services.gateway.pairs import preferences
from services.gateway.parts import PartsOf
from services.gateway.preference_sets import everything
from shared import layout
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.feedback import Feedback, Rating
from shared.contracts.views import ListPage
from shared.ids import short
from shared.keys import digest
from shared.objects import Series
from shared.tombstones import require_not_forgotten

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])


class FeedbackRequest(Contract):
    """What to say of an answer."""

    model: str = Field(min_length=1, max_length=200, description="The model that answered: a tuned one's id, or a base.")
    prompt: str = Field(min_length=1, max_length=8_000)
    answer: str = Field(min_length=1, max_length=40_000)
    mode: Literal["chat", "completion"] = "chat"
    rating: Rating = Field("none", description="`none` without a correction takes an earlier word back.")
    correction: str = Field("", max_length=40_000, description="What it should have answered.")
    evidence: tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...] = Field(
        (), max_length=50, description="Documents shown as evidence beside the answer; forgotten with any of them."
    )


@router.post("", summary="Say what an answer is worth", status_code=201)
def post_feedback(parts: PartsOf, caller: Writer, asked: FeedbackRequest) -> Feedback:
    """A later word of the same key's name on the same answer counts in place of an earlier one."""
    for document in asked.evidence:
        require_not_forgotten(parts.store, document)
    named = short(digest(["feedback", caller.name, asked.model, asked.mode, asked.prompt, asked.answer]))
    said = Feedback(**{**dict(asked), "schema_version": 1}, id=named, reviewer=caller.name, at=now())
    Series(parts.store, layout.feedback(named)).append(said)
    parts.catalog.put_feedback(said)
    return said


@router.get("", summary="List feedback")
def list_feedback(
    parts: PartsOf, _: Reader, paging: PagingOf, model: Annotated[str | None, Query(max_length=200)] = None
) -> ListPage[Feedback]:
    """The latest word of each person on each answer, newest first."""
    return paging.page(parts.catalog.all_feedback(paging.slice, model), lambda one: (one.at, one.id))


@router.get(
    "/pairs", summary="Download preferences", response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}}, "description": "A `Preference` a line."}},
)  # fmt: skip
def download_pairs(parts: PartsOf, _: Reader) -> StreamingResponse:
    """Prompt, chosen and rejected, a pair a line. A correction is preferred to the answer that it corrects; and of the answers
    to one prompt that one person rated, those rated up are preferred to those rated down."""
    lines = (one.model_dump_json(exclude={"schema_version"}).encode() + b"\n" for one in preferences(everything(parts)))
    return StreamingResponse(lines, media_type=JSONL)

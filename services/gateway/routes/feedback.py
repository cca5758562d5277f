"""Feedback: thumbs and corrections on answers, and the pairs of answers that they prefer."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.downloads import JSONL
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared import layout
from shared.catalog.protocol import Slice
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.feedback import Feedback, Preference, Rating
from shared.contracts.views import ListPage
from shared.ids import short
from shared.keys import digest
from shared.objects import Series
from shared.tombstones import require_not_forgotten

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])

AT_ONCE = 500


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


def everything(parts: Parts) -> Iterator[Feedback]:
    before = None
    while some := parts.catalog.all_feedback(Slice(AT_ONCE, before)):
        yield from some
        before = (some[-1].at, some[-1].id)


def preferences(said: Iterable[Feedback]) -> Iterator[Preference]:
    """Pairs, by prompt and person."""
    rated: dict[tuple[str, str, str], list[Feedback]] = {}
    for one in said:
        if one.correction and one.correction != one.answer:
            yield _pair(one, one.correction, one.answer, "correction")
        if one.rating != "none":
            rated.setdefault((one.reviewer, one.mode, one.prompt), []).append(one)
    for words in rated.values():
        rejected = [one for one in words if one.rating == "down"]
        for good in (one for one in words if one.rating == "up"):
            yield from (_pair(good, good.answer, bad.answer, "ratings") for bad in rejected if bad.answer != good.answer)


def _pair(one: Feedback, chosen: str, rejected: str, source: Literal["correction", "ratings"]) -> Preference:
    return Preference(prompt=one.prompt, chosen=chosen, rejected=rejected, mode=one.mode, source=source, reviewer=one.reviewer)

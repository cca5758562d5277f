"""Review: what people say of kept and of garbage, how far they agree, and what is learned from it."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared import layout
from shared.catalog.protocol import Slice
from shared.contracts.base import Contract
from shared.contracts.review import ClassifierResult, Label, LabelView, Scores, Verdict
from shared.contracts.views import ClassifierView, ListPage
from shared.objects import read_contract
from shared.retraining import labels_since
from shared.reviews import Reviews, Word
from shared.verdicts import kappa

router = APIRouter(prefix="/v1", tags=["review"])

MOST_LABELS = 200


class LabelRequest(Contract):
    """What to say of one text."""

    document: str = Field(pattern="^[0-9a-f]{6,64}$", description="The item's `document`, or its beginning.")
    item: str = Field(min_length=1, max_length=64, description="The item's `id`.")
    verdict: Verdict = Field(description="`garbage`: rightly flagged; `good`: a false positive; `withdrawn`: undo.")


class LabelsRequest(Contract):
    """Labels to be given at once, all or none."""

    labels: tuple[LabelRequest, ...] = Field(min_length=1, max_length=MOST_LABELS)


class Pair(Contract):
    """How far two reviewers agree on the texts that both labelled."""

    reviewers: tuple[str, str]
    texts: int
    agreement: float = Field(description="Share of the texts on which both said the same.")
    kappa: float | None = Field(description="Cohen's kappa; none where both said one thing throughout.")


class VersionSummary(Contract):
    """A version of the classifier, and its precision and recall on held-out labels beside those of before."""

    id: str
    created_at: str
    state: str
    adopted: bool | None
    in_charge: bool
    labels: int
    rules: Scores | None = None
    before: Scores | None = None
    after: Scores | None = None
    ece: float | None = None
    brier: float | None = None
    why: str | None = None


class ReviewSummary(Contract):
    """Where review stands."""

    labels: int = Field(description="Texts labelled, by reviewer, words taken back left out.")
    by_reviewer: dict[str, dict[str, int]]
    since_last_version: int = Field(description="Entries that the last version did not know.")
    to_next_version: int = Field(description="Entries until the next version is trained by itself.")
    kept: int = Field(description="Texts that the rules kept, in all collections.")
    set_aside: int = Field(description="Texts that the rules set aside.")
    decided_by: str = Field(description="`rules`, or the version in charge.")
    versions: tuple[VersionSummary, ...] = Field(description="The latest versions, newest first.")
    agreement: tuple[Pair, ...]


@router.post(
    "/garbage/labels", summary="Label texts", status_code=201, response_model=ListPage[LabelView],
    response_description="The labels as they were written down.",
)  # fmt: skip
def post_labels(parts: PartsOf, caller: Writer, once: OnceOf, asked: LabelsRequest) -> JSONResponse:
    """Say of up to 200 texts whether they are garbage. The reviewer is the key's name. A later word on the same text takes the
    place of an earlier one of the same reviewer, and `withdrawn` takes it back; nothing is deleted. Labels count in the next
    dataset, and in the next version of the classifier."""

    def make() -> Reply:
        words = [Word(one.document, one.item, one.verdict) for one in asked.labels]
        return Reply(201, ListPage[LabelView](items=tuple(Reviews(parts.records).say(caller.name, words))))

    return once.answer(asked.model_dump(mode="json"), make)


@router.get("/garbage/labels", summary="List labels")
def list_labels(
    parts: PartsOf,
    _: Reader,
    paging: PagingOf,
    reviewer: Annotated[str | None, Query(description="Only of this reviewer.", max_length=200)] = None,
) -> ListPage[LabelView]:
    """Each reviewer's latest word on each text, newest first."""
    views = [
        LabelView(sequence=sequence, label=label)
        for document, sequence in parts.catalog.labels(paging.slice, reviewer)
        if (label := read_contract(parts.store, layout.entry(layout.labels(document), sequence), Label)) is not None
    ]
    return paging.page(views, lambda one: (one.label.at, f"{one.label.document}/{one.sequence:08d}"))


@router.get("/garbage/agreement", summary="How far reviewers agree")
def get_agreement(parts: PartsOf, _: Reader) -> ListPage[Pair]:
    """For each two reviewers who labelled the same texts. A share of what is shown is drawn by lot and shown to two."""
    return ListPage(items=agreement_of(parts))


@router.get("/review", summary="Where review stands")
def get_review(parts: PartsOf, _: Reader) -> ReviewSummary:
    """Labels so far, when the next version is trained, who decides, and how the versions compare on held-out labels."""
    return summary_of(parts)


def agreement_of(parts: Parts) -> tuple[Pair, ...]:
    counts: dict[tuple[str, str], dict[tuple[bool, bool], int]] = defaultdict(dict)
    for one in parts.catalog.agreement():
        said = (one.one_said == "garbage", one.other_said == "garbage")
        counts[one.one, one.other][said] = one.count
    return tuple(_pair(names, found) for names, found in sorted(counts.items()))


def _pair(names: tuple[str, str], found: dict[tuple[bool, bool], int]) -> Pair:
    texts = sum(found.values())
    same = sum(count for (one, other), count in found.items() if one == other)
    beyond = kappa(found)
    return Pair(
        reviewers=names, texts=texts, agreement=round(same / texts, 4), kappa=None if beyond is None else round(beyond, 4)
    )


def summary_of(parts: Parts) -> ReviewSummary:
    catalog = parts.catalog
    by_reviewer: dict[str, dict[str, int]] = defaultdict(dict)
    for (reviewer, verdict), count in sorted(catalog.count_labels().items()):
        by_reviewer[reviewer][verdict] = count
    versions = catalog.classifiers(Slice(limit=10))
    fresh = labels_since(catalog, versions[0] if versions else None)
    kept, set_aside = catalog.count_reviewables()
    standing = catalog.standing_classifier()
    result = result_of(standing) if standing else None
    return ReviewSummary(
        labels=sum(count for said in by_reviewer.values() for verdict, count in said.items() if verdict != "withdrawn"),
        by_reviewer=dict(by_reviewer), since_last_version=fresh,
        to_next_version=max(0, parts.settings.retrain_labels - fresh), kept=kept, set_aside=set_aside,
        decided_by=standing.id if standing and result and result.takes_over else "rules",
        versions=tuple(_version(one) for one in versions), agreement=agreement_of(parts),
    )  # fmt: skip


def result_of(view: ClassifierView) -> ClassifierResult | None:
    done = [stage for stage in view.stages if stage.stage == "classifier" and stage.state == "done"]
    return ClassifierResult.model_validate(done[0].result) if done else None


def _version(view: ClassifierView) -> VersionSummary:
    found = result_of(view)
    return VersionSummary(
        id=view.id, created_at=view.wish.created_at, state=view.state, adopted=view.adopted,
        in_charge=bool(found and found.takes_over), labels=view.wish.count,
        rules=found.rules if found else None, before=found.before if found else None, after=found.after if found else None,
        ece=found.ece if found else None, brier=found.brier if found else None, why=found.why if found else view.detail,
    )  # fmt: skip

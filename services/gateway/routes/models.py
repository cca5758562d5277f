"""Tuned models: what runs left behind, how they scored, and what they learned from."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.gateway.auth import Reader, Writer
from services.gateway.evidence import Evidence
from services.gateway.lineage import ancestors, datasets_behind
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import PromotionRequest, model_of, promote, report_of
from services.gateway.routes.datasets import head_of
from shared.contracts.learning import Model
from shared.contracts.retention import ForgettingReport, Promotion
from shared.contracts.views import ListPage, ModelView

router = APIRouter(prefix="/v1/tuned-models", tags=["models"])

Saw = Mapping[str, tuple[str, ...]]
"""Forgotten documents by who saw them."""

ModelName = Annotated[str, Path(description="Id of a model, or its name for the newest version.", pattern=r"^[A-Za-z0-9._-]+$")]


@router.get("", summary="List tuned models")
def list_tuned_models(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[ModelView]:
    """Every version, newest first. (`/v1/models` is OpenAI's list: what can be asked right now.)"""
    found = marked(parts, parts.catalog.models(paging.slice))
    return paging.page(found, lambda one: (one.created_at, one.id))


@router.get("/{model}", summary="See a tuned model")
def get_tuned_model(parts: PartsOf, _: Reader, model: ModelName) -> ModelView:
    """Its evaluation against the base on held-out examples, its lineage (run, dataset and base), and which documents it
    was trained on that were forgotten since: it did not forget them."""
    return marked(parts, [model_of(parts, model)])[0]


@router.get("/{model}/evidence", summary="Find the pages that taught it")
def find_evidence(
    parts: PartsOf,
    _: Reader,
    model: ModelName,
    text: Annotated[str, Query(min_length=1, max_length=8_000, description="A question, or an answer of the model.")],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> ListPage[Evidence]:
    """The training chunks nearest to a text, by BM25 over each dataset that the model and those it came from were tuned on,
    best first. Scores of chunks of different datasets are only roughly comparable."""
    found: dict[str, Evidence] = {}
    for one in datasets_behind(parts.catalog, model_of(parts, model)):
        dataset = head_of(parts, one)
        names = partial(parts.catalog.dataset_inputs, dataset.id)
        for each in parts.evidence.nearest(dataset.head.key, names, text, limit):
            found.setdefault(each.chunk, each)
    best = sorted(found.values(), key=lambda each: -each.score)
    return ListPage(items=tuple(best[:limit]))


@router.get("/{model}/forgetting", summary="See what it forgot")
def get_forgetting(parts: PartsOf, _: Reader, model: ModelName) -> ForgettingReport:
    """The base, the models that it came from, earlier versions of the name and the model on every held-out set that it was
    measured on: its dataset's, those of the datasets that this one replays and that the models before it were tuned on, and
    general probes. Loss, perplexity and answers with 95 % intervals, and
    where its loss rose beyond noise above that of the best earlier version."""
    return report_of(parts, model)


@router.post("/{model}/promotion", summary="Promote it", status_code=201)
def promote_model(parts: PartsOf, key: Writer, model: ModelName, asked: PromotionRequest) -> Promotion:
    """Its name means this version from now on where a deployment is asked for. Refused (409, `forgot-too-much`) where it
    forgot more than the policy allows."""
    return promote(parts, model, asked, key.name)


def marked(parts: Parts, models: Sequence[Model]) -> list[ModelView]:
    """Models with the forgotten documents that each of them saw, told by the model, by its dataset, and by those of the models
    that it came from."""
    lines = {one.id: (one, *ancestors(parts.catalog, one)) for one in models}
    every = [each for line in lines.values() for each in line]
    by_model = parts.catalog.saw_forgotten("model", sorted({one.id for one in every}))
    by_dataset = parts.catalog.saw_forgotten("dataset", sorted({one.dataset for one in every}))
    promoted = parts.catalog.promotions({one.name for one in models})
    return [
        ModelView(
            **one.model_dump(),
            promoted=one.name in promoted and promoted[one.name].model == one.id,
            saw_forgotten=_saw(lines[one.id], by_model, by_dataset),
        )
        for one in models
    ]


def _saw(line: Sequence[Model], by_model: Saw, by_dataset: Saw) -> tuple[str, ...]:
    found = (document for one in line for document in (*by_model.get(one.id, ()), *by_dataset.get(one.dataset, ())))
    return tuple(sorted(set(found)))

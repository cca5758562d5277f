"""Tuned models: what runs left behind, how they scored, and what they learned from."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.gateway.auth import Reader
from services.gateway.evidence import Evidence
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.datasets import head_of
from shared.contracts.learning import Model
from shared.contracts.views import ListPage, ModelView
from shared.errors import NotFound

router = APIRouter(prefix="/v1/tuned-models", tags=["models"])

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
    return marked(parts, [_model(parts, model)])[0]


@router.get("/{model}/evidence", summary="Find the pages that taught it")
def find_evidence(
    parts: PartsOf,
    _: Reader,
    model: ModelName,
    text: Annotated[str, Query(min_length=1, max_length=8_000, description="A question, or an answer of the model.")],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> ListPage[Evidence]:
    """The training chunks nearest to a text, by BM25 over the dataset that the model was tuned on, best first."""
    dataset = head_of(parts, _model(parts, model).dataset)
    names = partial(parts.catalog.dataset_inputs, dataset.id)
    return ListPage(items=tuple(parts.evidence.nearest(dataset.head.key, names, text, limit)))


def _model(parts: Parts, name: str) -> Model:
    found = parts.catalog.model(name)
    if found is None:
        raise NotFound(f"There is no tuned model {name!r}.")
    return found


def marked(parts: Parts, models: Sequence[Model]) -> list[ModelView]:
    """Models with the forgotten documents that each of them saw, told by the model and by its dataset."""
    by_model = parts.catalog.saw_forgotten("model", [one.id for one in models])
    by_dataset = parts.catalog.saw_forgotten("dataset", sorted({one.dataset for one in models}))
    return [
        ModelView(
            **one.model_dump(),
            saw_forgotten=tuple(sorted({*by_model.get(one.id, ()), *by_dataset.get(one.dataset, ())})),
        )
        for one in models
    ]

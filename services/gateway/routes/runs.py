"""Runs: a base model tuned on a dataset, then evaluated."""

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field, ValidationError

from services.gateway.auth import Reader, Writer
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import starting_from
from shared.contracts.base import Contract
from shared.contracts.learning import LossPoint, Model
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.views import EventView, ListPage, RunView
from shared.errors import InvalidInput, NotFound
from shared.pipeline import TRAINING
from shared.results import committed

router = APIRouter(prefix="/v1/runs", tags=["runs"])

RunId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="Id of the run.")]

BATCH = 500
NO_METRICS = {*LossPoint.model_fields, "phase", "tokens_per_second", "eta_seconds"}
"""What a run in progress tells of itself; every other figure is one of its method's metrics."""


class RunRequest(Contract):
    """A run to be made. Its name is the name of the model that comes of it."""

    name: str = Field(examples=["papers-tuned"])
    dataset: str | None = Field(
        None, pattern="^[0-9a-f]{16}$",
        description="Id of a dataset that is done. A run that aligns learns from its preferences: the dataset says in which "
        "template, and is measured on; left out, it is that of the model to start from.",
    )  # fmt: skip
    recipe: TrainingRecipe = Field(TrainingRecipe(), description="A base that is left out is the dataset's own.")
    parent: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="The tuned model to start from, by id, or by name for the promoted version or else the newest. What the "
        "recipe leaves out of base, lora_r, lora_alpha and lora_targets is then that model's.",
    )  # fmt: skip
    preferences: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="Id of the preference set to learn from, where the recipe aligns with one."
    )


@router.post("", summary="Ask for a training run", status_code=202, response_model=RunView, responses={200: {"model": RunView}})
def create_run(parts: PartsOf, _: Writer, once: OnceOf, asked: RunRequest) -> JSONResponse:
    """202 with a job to watch. The same dataset, recipe, base, parent and preferences are the same run: 200 where it
    is done already."""
    return once.answer(asked.model_dump(mode="json"), lambda: _create(parts, asked))


def _create(parts: Parts, asked: RunRequest) -> Reply:
    parent = starting_from(parts, asked.parent) if asked.parent else None
    recipe = asked.recipe if parent else _recipe(parts, asked)
    run = parts.records.wish_run(asked.name, _dataset(asked, parent), recipe, parent, asked.preferences)
    view = run_of(parts, run)
    headers = {"Location": f"/v1/runs/{run}", "Link": f'</v1/jobs/{view.job}>; rel="monitor"'}
    return Reply(200 if view.state == "done" else 202, view, headers)


def _dataset(asked: RunRequest, parent: Model | None) -> str:
    if asked.dataset is not None:
        return asked.dataset
    if parent is not None and asked.recipe.paired is not None:
        return parent.dataset
    raise InvalidInput(
        "Name the dataset to tune on: only a run that learns from pairs, and starts from a tuned model, can do without."
    )


def _recipe(parts: Parts, asked: RunRequest) -> TrainingRecipe:
    dataset = parts.catalog.dataset(asked.dataset) if asked.dataset else None
    if dataset is None or "base" in asked.recipe.model_fields_set:
        return asked.recipe
    return asked.recipe.model_copy(update={"base": dataset.wish.base})


@router.get("", summary="List runs")
def list_runs(parts: PartsOf, _: Reader, paging: PagingOf) -> ListPage[RunView]:
    """Newest first."""
    return paging.page(parts.catalog.runs(paging.slice), lambda one: (one.wish.created_at, one.id))


@router.get("/{run}", summary="See a run")
def get_run(parts: PartsOf, _: Reader, run: RunId) -> RunView:
    """Its recipe, how far it has come, and what training and evaluation measured."""
    return run_of(parts, run)


@router.get("/{run}/curve", summary="See a run's loss curve")
def get_run_curve(parts: PartsOf, _: Reader, run: RunId) -> ListPage[LossPoint]:
    """All points in one page: those that training wrote down where it is done, those it has told of so far where it is not."""
    return ListPage(items=curve_of(parts, run_of(parts, run)))


def curve_of(parts: Parts, view: RunView) -> tuple[LossPoint, ...]:
    """The points that stand in the result, or those told of so far."""
    manifest = committed(parts.store, TRAINING.name, view.wish.key)
    if manifest is not None and "curve.jsonl" in manifest.files:
        lines = parts.store.read(manifest.files["curve.jsonl"].path).splitlines()
        return tuple(LossPoint.model_validate_json(line) for line in lines)
    return tuple(_told(parts, view.job))


def _told(parts: Parts, job: str) -> Iterator[LossPoint]:
    """The points that stand in the job's progress. A run that was taken up again tells of some steps twice: the last counts."""
    points: dict[int, LossPoint] = {}
    for event in _progress(parts, job):
        try:
            fields = event.data.get("fields", {})
            told = {name: fields[name] for name in LossPoint.model_fields if name in fields}
            told["metrics"] = {name: value for name, value in fields.items() if name not in NO_METRICS}
            point = LossPoint.model_validate_json(json.dumps(told))
        except ValidationError:
            continue
        points[point.step] = point
    yield from (points[step] for step in sorted(points))


def _progress(parts: Parts, job: str) -> Iterator[EventView]:
    after = 0
    while events := parts.catalog.events(job, after, BATCH):
        yield from (event for event in events if event.kind == "progress" and event.data.get("stage") == TRAINING.name)
        after = events[-1].id


def run_of(parts: Parts, run: str) -> RunView:
    found = parts.catalog.run(run)
    if found is None:
        raise NotFound(f"There is no run {run!r}.")
    return found

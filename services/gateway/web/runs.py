"""Runs: watched while they train, compared, and followed from the model back to the documents that taught it."""

from typing import Annotated, Any, get_args

from fastapi import Path, Query, Request, Response

from services.gateway.exports import told
from services.gateway.lineage import all_models, ancestors
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import meant
from services.gateway.routes.deployments import wish_of
from services.gateway.routes.runs import RunId, curve_of, run_of
from services.gateway.web import charts
from services.gateway.web.canaries import requested
from services.gateway.web.entry import ByReviewer, Viewer
from services.gateway.web.pages import back, page, router
from services.gateway.web.words import on_the_way
from shared.catalog.protocol import Slice
from shared.contracts.engines import MAX_REPLICAS
from shared.contracts.exports import Variant
from shared.contracts.learning import EvaluationResult, LossPoint, Model, TrainingResult
from shared.contracts.views import FINISHED, RunView

routes = router()

COMPARED = 4
MODELS = 200
DOCUMENTS = 200


@routes.get("/runs")
def runs(request: Request, parts: PartsOf, session: Viewer, paging: PagingOf) -> Response:
    """Newest first, with what each reached."""
    found = paging.page(parts.catalog.runs(paging.slice), lambda one: (one.wish.created_at, one.id))
    return page(
        request, session, "runs.html", here="runs", rows=[_told(one) for one in found.items], following=found.next_cursor,
        promoted=_promoted(parts, {one.wish.name for one in found.items}),
    )  # fmt: skip


@routes.get("/runs/compare")
def compare(
    request: Request, parts: PartsOf, session: Viewer, run: Annotated[list[str], Query(max_length=COMPARED)]
) -> Response:
    """Up to four runs: their curves in one picture, and what was different."""
    views = [run_of(parts, one) for one in dict.fromkeys(run)]
    recipes = [_differs(view) for view in views]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    differing = [name for name in names if len({str(recipe.get(name)) for recipe in recipes}) > 1]
    return page(
        request, session, "compare.html", here="runs", rows=[_told(view) for view in views],
        differing=[(name, [recipe.get(name) for recipe in recipes]) for name in differing],
        chart=charts.losses({f"{view.wish.name} {view.id[:6]}": _points(curve_of(parts, view)) for view in views}),
    )  # fmt: skip


@routes.get("/runs/{run}")
def run(request: Request, parts: PartsOf, session: Viewer, run: RunId) -> Response:
    """Its curve as it grows, what it reached, and its lineage."""
    # Asked before the curve is read: a point in between is told twice rather than never.
    after = parts.catalog.latest_event()
    view = run_of(parts, run)
    dataset = parts.catalog.dataset_head(view.wish.dataset)
    curve, model = curve_of(parts, view), _model(parts, run)
    parent = parts.catalog.model(view.wish.parent.model) if view.wish.parent else None
    line = (parent, *ancestors(parts.catalog, parent)) if parent else ()
    return page(
        request, session, "run.html", here="runs", row=_told(view), run=view, dataset=dataset,
        model=model, curve=curve, chart=charts.losses(_curves(curve, view)), metrics=charts.metrics(curve), after=after,
        open=view.state not in FINISHED, job=parts.catalog.job(view.job),
        promoted=model is not None and meant(parts, model.name) == model.id,
        documents=parts.catalog.dataset_inputs(view.wish.dataset, limit=DOCUMENTS),
        ancestors=[(one, parts.catalog.dataset_head(one.dataset)) for one in line],
        children=[one for one in all_models(parts.catalog) if one.parent == model.id] if model else [],
        deployments=[one for one in parts.catalog.deployments() if one.wish.state == "running"],
        exports=[told(parts, one) for one in parts.catalog.exports(model.id, Slice())] if model else [],
        variants=get_args(Variant), most_replicas=MAX_REPLICAS,
    )  # fmt: skip


@routes.post("/models/{model}/deploy")
def deploy(parts: PartsOf, posted: ByReviewer, model: Annotated[str, Path(max_length=200)]) -> Response:
    served = {"variant": posted.get("variant") or "adapter", "replicas": posted.get("replicas") or 1}
    parts.records.wish_deployment(wish_of(parts, requested({"name": posted.get("name"), "model": model, **served})))
    return back("/try")


def _differs(view: RunView) -> dict[str, Any]:
    """What runs are compared by beside their curves."""
    told = view.wish.recipe.model_dump(mode="json")
    memory = told.pop("continual") or {}
    beginning = {"dataset": view.wish.dataset, "from": view.wish.parent.model if view.wish.parent else None}
    return told | {f"continual.{name}": value for name, value in memory.items()} | beginning


def _model(parts: Parts, run: str) -> Model | None:
    """The model that a run left behind."""
    return next((model for model in parts.catalog.models(Slice(MODELS)) if model.run == run), None)


def _promoted(parts: Parts, names: set[str]) -> set[str]:
    """Runs whose models are what these names mean."""
    models = (parts.catalog.model(one.model) for one in parts.catalog.promotions(names).values())
    return {model.run for model in models if model is not None}


def _points(curve: tuple[LossPoint, ...]) -> list[tuple[float, float]]:
    return [(point.step, point.loss) for point in curve]


def _curves(curve: tuple[LossPoint, ...], view: RunView) -> dict[str, list[tuple[float, float]]]:
    """The loss, and of a run that is over the held-out loss too, where it was measured on the way."""
    over = view.state in FINISHED
    held = [(float(point.step), point.heldout_loss) for point in curve if over and point.heldout_loss is not None]
    return {"training": _points(curve)} | ({"held out": held} if held else {})


def _told(view: RunView) -> dict[str, Any]:
    done = {stage.stage: stage.result for stage in view.stages if stage.state == "done"}
    stage = next((one.stage for one in view.stages if one.state == "running"), "training")
    return {
        "view": view, "told": on_the_way(view.state, stage),
        "training": TrainingResult.model_validate(done["training"]) if "training" in done else None,
        "evaluation": EvaluationResult.model_validate(done["evaluation"]) if "evaluation" in done else None,
    }  # fmt: skip


@routes.post("/runs/{run}/cancel")
def cancel(parts: PartsOf, _: ByReviewer, run: RunId) -> Response:
    parts.jobs.cancel(run_of(parts, run).job)
    return back(f"/runs/{run}")

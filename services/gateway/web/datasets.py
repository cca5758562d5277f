"""Datasets: built of a collection, looked at as the model will see them, and trained on."""

from typing import Annotated, Any

from fastapi import Query, Request, Response

from services.gateway.bases import require_base
from services.gateway.estimates import estimate_run
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import starting_from
from services.gateway.routes.datasets import DatasetId, PreviewId, head_of, preview_of
from services.gateway.sessions import Session
from services.gateway.web import charts, forms, tuning
from services.gateway.web.entry import ByReviewer, ByViewer, Viewer
from services.gateway.web.forms import checked
from services.gateway.web.heads import first_lines
from services.gateway.web.pages import back, page, router
from services.gateway.web.tuning import Asked
from services.gateway.web.words import on_the_way
from shared.bases import base_object, read_base
from shared.catalog.protocol import Slice
from shared.contracts.estimates import Estimate, EstimateRequest
from shared.contracts.learning import DatasetParameters, Example
from shared.contracts.views import FINISHED, DatasetHead, StageView
from shared.pipeline import DATASET
from shared.results import committed
from shared.template import CONFIG, OWN, PromptTemplate, template_of

routes = router()

SHOWN = 12
PREVIEW_DOCUMENTS = 5


@routes.get("/datasets")
def datasets(
    request: Request, parts: PartsOf, session: Viewer, paging: PagingOf, collection: Annotated[str, Query(max_length=63)] = ""
) -> Response:
    """Newest first, and a form for another."""
    found = paging.page(parts.catalog.dataset_heads(paging.slice), lambda one: (one.head.created_at, one.id))
    rows = [{"view": one, "told": on_the_way(one.state, DATASET.name), "result": result_of(one.stages)} for one in found.items]
    return page(
        request, session, "datasets.html", here="datasets", rows=rows, following=found.next_cursor, collection=collection,
        collections=parts.catalog.collections(Slice(100)),
        fields=forms.fields(DatasetParameters, DatasetParameters().model_dump(mode="json")),
    )  # fmt: skip


@routes.post("/datasets")
def build(parts: PartsOf, posted: ByReviewer) -> Response:
    """Of the documents of a collection that are done now."""
    base = parts.settings.default_base
    require_base(parts.store, base)
    parameters = checked(DatasetParameters, DatasetParameters(), posted.several)
    view = parts.records.wish_dataset(posted.get("name"), posted.get("collection"), base, parameters)
    return back(f"/datasets/{view.id}")


@routes.post("/datasets/preview")
def look(parts: PartsOf, posted: ByReviewer) -> Response:
    """What a dataset would hold, before it is asked for."""
    base = parts.settings.default_base
    require_base(parts.store, base)
    parameters = checked(DatasetParameters, DatasetParameters(), posted.several)
    preview = parts.records.preview_dataset(posted.get("collection"), base, parameters, PREVIEW_DOCUMENTS, SHOWN)
    return back(f"/datasets/previews/{preview}?collection={posted.get('collection')}")


@routes.get("/datasets/previews/{preview}")
def preview(
    request: Request, parts: PartsOf, session: Viewer, preview: PreviewId,
    collection: Annotated[str, Query(max_length=63)] = "",
) -> Response:  # fmt: skip
    view = preview_of(parts, preview)
    made = view.preview
    return page(
        request, session, "preview.html", here="datasets", view=view, preview=made, collection=collection,
        told=on_the_way(view.state, DATASET.name), open=view.state not in FINISHED, after=parts.catalog.latest_event(),
        bars=charts.lengths([one.model_dump() for one in made.lengths]) if made else [],
    )  # fmt: skip


@routes.get("/datasets/{dataset}")
def dataset(request: Request, parts: PartsOf, session: Viewer, dataset: DatasetId) -> Response:
    """Its examples, with the template and the end of the answer in plain sight."""
    view = head_of(parts, dataset)
    return _dataset(request, parts, session, view, tuning.untouched(view.head.base))


@routes.post("/datasets/{dataset}/estimate")
def cost(request: Request, parts: PartsOf, posted: ByViewer, dataset: DatasetId) -> Response:
    """The same page with what a run by this recipe would take. Nothing is started."""
    view = head_of(parts, dataset)
    form = tuning.asked(view.head.base, posted)
    estimate = estimate_run(parts, EstimateRequest(recipe=form.recipe, dataset=dataset, parent=form.parent or None))
    return _dataset(request, parts, posted.session, view, form, estimate)


def _dataset(
    request: Request, parts: Parts, session: Session, view: DatasetHead, form: Asked, estimate: Estimate | None = None
) -> Response:
    base = read_base(parts.store, view.head.base)
    return page(
        request, session, "dataset.html", here="datasets", dataset=view, result=result_of(view.stages),
        told=on_the_way(view.state, DATASET.name), open=view.state not in FINISHED, after=parts.catalog.latest_event(),
        bars=charts.lengths(result_of(view.stages).get("lengths", [])), examples=_examples(parts, view),
        eos=base.eos_token if base else "", fields=tuning.fields(form), memory=tuning.memory_fields(form),
        run=form.name or f"{view.head.name}-tuned", parent=form.parent, models=tuning.offered(parts, view.head.base),
        estimate=estimate,
    )  # fmt: skip


@routes.post("/datasets/{dataset}/train")
def train(parts: PartsOf, posted: ByReviewer, dataset: DatasetId) -> Response:
    form = tuning.asked(head_of(parts, dataset).head.base, posted)
    parent = starting_from(parts, form.parent) if form.parent else None
    return back(f"/runs/{parts.records.wish_run(form.name, dataset, form.recipe, parent)}")


def result_of(stages: tuple[StageView, ...]) -> dict[str, Any]:
    """What the last stage that is done made."""
    done = [stage for stage in stages if stage.state == "done"]
    return done[-1].result if done else {}


def _examples(parts: Parts, view: DatasetHead) -> list[dict[str, Any]]:
    """The first examples: the prompt as it is rendered, and the answer that is learnt."""
    manifest = committed(parts.store, DATASET.name, view.head.key)
    if manifest is None or "train.jsonl" not in manifest.files:
        return []
    found = [Example.model_validate_json(line) for line in first_lines(parts.store, manifest.files["train.jsonl"], SHOWN)]
    template = _template(parts, view)
    return [
        {"of": one, "prompt": template.prompt(one.instruction, one.input) if template else one.instruction} for one in found
    ]


def _template(parts: Parts, view: DatasetHead) -> PromptTemplate | None:
    """The template that the examples are rendered with; None where the base that brings it is gone."""
    base = read_base(parts.store, view.head.base)
    files = {
        name: parts.store.read(base_object(base, name)) for name in (CONFIG, OWN) if base is not None and name in base.files
    }
    return template_of(view.head.parameters.template, files.get(CONFIG), files.get(OWN))

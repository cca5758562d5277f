"""Preference sets: built of what people said of answers, looked at, and learned from."""

from typing import Annotated

from fastapi import Query, Request, Response

from services.gateway.estimates import estimate_run
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from services.gateway.preference_sets import TRAIN, Wanted, set_called, set_of_feedback
from services.gateway.retention import starting_from
from services.gateway.routes.preferences import PreferenceSetView, SetId, view_of
from services.gateway.sessions import Session
from services.gateway.web import aligning, forms, tuning
from services.gateway.web.aligning import Asked
from services.gateway.web.entry import ByReviewer, ByViewer, Viewer
from services.gateway.web.heads import first_lines
from services.gateway.web.pages import back, page, router
from shared.contracts.estimates import Estimate, EstimateRequest
from shared.contracts.feedback import Preference
from shared.contracts.preferences import PreferenceParameters
from shared.ids import short

routes = router()

SHOWN = 6


@routes.get("/preferences")
def preference_sets(
    request: Request, parts: PartsOf, session: Viewer, paging: PagingOf, model: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Newest first, and a form for another."""
    found = paging.page(
        [view_of(one) for one in parts.catalog.preference_sets(paging.slice)], lambda one: (one.created_at, one.id)
    )
    return page(
        request, session, "preferences.html", here="datasets", rows=found.items, following=found.next_cursor,
        models=_judged(parts), model=model,
        fields=forms.fields(PreferenceParameters, PreferenceParameters().model_dump(mode="json")),
    )  # fmt: skip


def _judged(parts: Parts) -> list[str]:
    """Models that people may have judged, the newest first, and the base that is served beside them."""
    return [*tuning.offered(parts), parts.settings.default_base]


@routes.post("/preferences")
def build(parts: PartsOf, posted: ByReviewer) -> Response:
    """Of the feedback as it stands now."""
    parameters = forms.checked(PreferenceParameters, PreferenceParameters(), posted.several)
    wanted = Wanted(posted.get("name"), posted.session.key.name, parameters, model=posted.get("model"))
    made, _ = set_of_feedback(parts, wanted)
    return back(f"/preferences/{short(made.key)}")


@routes.get("/preferences/{preferences}")
def preference_set(request: Request, parts: PartsOf, session: Viewer, preferences: SetId) -> Response:
    """Its pairs in numbers, the first of them in words, and a form for a run that learns from them."""
    return _set(request, parts, session, view_of(set_called(parts, preferences)), aligning.untouched())


@routes.post("/preferences/{preferences}/estimate")
def cost(request: Request, parts: PartsOf, posted: ByViewer, preferences: SetId) -> Response:
    """The same page with what a run by this recipe would take. Nothing is started."""
    view, form = view_of(set_called(parts, preferences)), aligning.asked(posted)
    estimate = estimate_run(parts, EstimateRequest(recipe=form.recipe, parent=form.parent, preferences=preferences))
    return _set(request, parts, posted.session, view, form, estimate)


@routes.post("/preferences/{preferences}/align")
def align(parts: PartsOf, posted: ByReviewer, preferences: SetId) -> Response:
    """A run on the dataset of the model that it starts from, which is not learned from but measured on."""
    form = aligning.asked(posted)
    parent = starting_from(parts, form.parent)
    return back(f"/runs/{parts.records.wish_run(form.name, parent.dataset, form.recipe, parent, preferences)}")


def _set(
    request: Request, parts: Parts, session: Session, view: PreferenceSetView, form: Asked, estimate: Estimate | None = None
) -> Response:
    pairs = [Preference.model_validate_json(line) for line in first_lines(parts.store, view.files[TRAIN], SHOWN)]
    return page(
        request, session, "preference_set.html", here="datasets", set=view, pairs=pairs, models=tuning.offered(parts),
        run=form.name or f"{view.name}-aligned", parent=form.parent, method=form.method, fields=aligning.fields(form),
        methods=aligning.method_fields(form), about=aligning.ABOUT, estimate=estimate,
    )  # fmt: skip

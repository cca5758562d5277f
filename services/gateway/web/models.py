"""A model's page: what it forgot, version by held-out set, and its promotion."""

from typing import Annotated

from fastapi import Path, Request, Response

from services.gateway.parts import PartsOf
from services.gateway.retention import PromotionRequest, model_of, promote, report_of
from services.gateway.web.entry import ByReviewer, Viewer
from services.gateway.web.pages import back, page, router

routes = router()

ModelId = Annotated[str, Path(max_length=200)]


@routes.get("/models/{model}/forgetting")
def forgetting(request: Request, parts: PartsOf, session: Viewer, model: ModelId) -> Response:
    found = model_of(parts, model)
    return page(
        request, session, "forgetting.html", here="runs", model=found, report=report_of(parts, found.id),
        promoted=parts.catalog.promotions([found.name]).get(found.name), limit=parts.settings.max_forgetting,
    )  # fmt: skip


@routes.post("/models/{model}/promotion")
def promotion(parts: PartsOf, posted: ByReviewer, model: ModelId) -> Response:
    asked = PromotionRequest(force=posted.get("force") == "on", reason=posted.get("reason"))
    made = promote(parts, model, asked, posted.session.key.name)
    return back(f"/models/{made.model}/forgetting")

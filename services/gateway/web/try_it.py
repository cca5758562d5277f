"""Try it: a tuned model beside its base, and the training chunks that are nearest to what it says."""

from fastapi import Request, Response

from services.gateway.parts import PartsOf
from services.gateway.web.entry import Viewer
from services.gateway.web.pages import page, router

routes = router()


@routes.get("/try")
def try_it(request: Request, parts: PartsOf, session: Viewer, deployment: str = "") -> Response:
    """What is asked goes to the OpenAI-compatible API by the page's script, once for each side."""
    standing = [view for view in parts.catalog.deployments() if view.wish.state == "running"]
    chosen = next((view for view in standing if view.name == deployment), None) or next(
        (view for view in standing if view.wish.model and view.state == "ready"), standing[0] if standing else None
    )
    model = parts.catalog.model(chosen.wish.model) if chosen and chosen.wish.model else None
    dataset = parts.catalog.dataset_head(model.dataset) if model else None
    if dataset is not None:
        parts.evidence.prepare(dataset.head.key)
    return page(
        request, session, "try.html", here="try", standing=standing, chosen=chosen, model=model,
        collection=dataset.head.collection if dataset else "",
    )  # fmt: skip

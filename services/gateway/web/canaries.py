"""A canary, started from a page: which model, in which form, for how many of those who ask for a deployment."""

from itertools import islice
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import ValidationError

from services.gateway.lineage import all_models
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import STATUS, in_words
from services.gateway.routes.deployments import DeploymentRequest, wish_of, with_canary
from services.gateway.sessions import Session
from services.gateway.web.entry import ByReviewer, Posted, Reviewer
from services.gateway.web.pages import back, page, router
from shared.catalog.protocol import Slice
from shared.contracts.engines import MAX_REPLICAS
from shared.contracts.learning import DeploymentWish, Served
from shared.errors import InvalidInput, LecternError

routes = router()

OFFERED = 100
"""Models that the form offers, the newest."""

_ALONE = "base"
"""In the place of a model's form: the base under the deployment, alone."""

Name = Annotated[str, Path(max_length=63)]


@routes.get("/operate/deployments/{name}/canary")
def choose(
    request: Request, parts: PartsOf, session: Reviewer, name: Name, model: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The form. `model` is the one that is chosen beforehand."""
    standing = parts.records.running(name)
    canary = standing.canary
    chosen = f"{model} adapter" if model else _choice(canary) if canary else ""
    shown = {"chosen": chosen, "percent": canary.percent if canary else 10, "replicas": canary.replicas if canary else 1}
    return _form(request, parts, session, standing, shown)


@routes.post("/operate/deployments/{name}/canary")
def start(request: Request, parts: PartsOf, posted: ByReviewer, name: Name) -> Response:
    """Back to Operate, or the same form with what stands against it."""
    standing = parts.records.running(name)
    try:
        wish = _wished(parts, standing, posted)
    except LecternError as error:
        shown = {"chosen": posted.get("served"), "percent": posted.get("percent"), "replicas": posted.get("replicas")}
        status = STATUS.get(error.code, 422)
        return _form(request, parts, posted.session, standing, shown, wrong=error.message, status=status)
    parts.records.wish_deployment(wish)
    return back("/operate")


def requested(fields: dict[str, Any]) -> DeploymentRequest:
    """What a form asks for. Raises InvalidInput with the fields that are wrong."""
    try:
        return DeploymentRequest.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(f"There can be no such deployment: {in_words(error.errors())}.") from None


def _wished(parts: Parts, standing: DeploymentWish, posted: Posted) -> DeploymentWish:
    """What stands with its canary. Raises LecternError."""
    model, _, form = posted.get("served").rpartition(" ")
    if not form:
        raise InvalidInput("Choose what they are to get.")
    served = {"base": standing.base} if form == _ALONE else {"model": model, "variant": form}
    numbers = {"canary_percent": posted.get("percent"), "replicas": posted.get("replicas") or 1}
    asked = requested({"name": standing.name, "context_tokens": standing.context_tokens, **served, **numbers})
    wish = wish_of(parts, asked)
    if (wish.base, wish.variant) == (standing.base, standing.variant):
        kept = {"speculation": standing.speculation, "engine_arguments": standing.engine_arguments}
        wish = wish.model_copy(update=kept)
    return with_canary(standing, wish, asked.canary_percent or 0)


def _choice(served: Served) -> str:
    return f"{served.model} {served.variant}" if served.model else f"{served.base} {_ALONE}"


def _form(
    request: Request, parts: Parts, session: Session, standing: DeploymentWish, shown: dict[str, Any], wrong: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    models = {one.id: ["adapter", *_published(parts, one.id)] for one in islice(all_models(parts.catalog), OFFERED)}
    return page(
        request, session, "canary.html", status=status, here="operate", standing=standing, models=models, wrong=wrong,
        now=_choice(standing), alone=f"{standing.base} {_ALONE}", most=MAX_REPLICAS, **shown,
    )  # fmt: skip


def _published(parts: Parts, model: str) -> list[str]:
    """Forms of a model that the gate kept."""
    kept = [one.wish.parameters.variant for one in parts.catalog.exports(model, Slice()) if one.state == "done"]
    return list(dict.fromkeys(kept))

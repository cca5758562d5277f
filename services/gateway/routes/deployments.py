"""Deployments: wishes for a model to be served. The serving service compares them with what runs, and acts."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.bases import require_base
from services.gateway.exports import export_to_serve
from services.gateway.guesses import guessed
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.parts import Parts, PartsOf
from services.gateway.retention import meant, model_of
from services.gateway.routes.models import marked
from shared.clock import now
from shared.contracts.base import Contract
from shared.contracts.engines import MAX_REPLICAS, DraftSpeculation, EngineArguments, ServedVariant, Speculation
from shared.contracts.learning import Canary, DeploymentWish
from shared.contracts.views import DeploymentView, ListPage
from shared.errors import Conflict, InvalidInput, NotFound
from shared.ids import deployment_job

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])

DeploymentName = Annotated[str, Path(description="Name of the deployment.", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class DeploymentRequest(Contract):
    """What should be served under a name: a tuned model, or a base alone."""

    name: str = Field(examples=["papers"])
    model: str | None = Field(
        None, max_length=200, description="Id of a tuned model, or its name for the promoted version, else the newest."
    )
    base: str | None = Field(
        None, description="A base model, where no tuned model is named; the configured default where left out."
    )
    context_tokens: int = Field(2_048, ge=256, description="Longest prompt and answer together.")
    variant: ServedVariant = Field(
        "adapter", description="adapter: on the base that it was tuned on. Else the newest export of that variant."
    )
    engine_arguments: EngineArguments = EngineArguments()
    speculation: Speculation | None = Field(
        None, description="How tokens are guessed that the model then checks together: `ngram`, or a `draft` model."
    )
    replicas: int = Field(
        1, ge=1, le=MAX_REPLICAS,
        description="Engines that answer for it, all alike; with `canary_percent`, that answer for the canary.",
    )  # fmt: skip
    canary_percent: int | None = Field(
        None, ge=1, le=99,
        description="Serve it to so many requests in a hundred, beside what the name stands for, which the others get.",
    )  # fmt: skip


@router.post(
    "",
    summary="Ask for a deployment",
    status_code=202,
    response_model=DeploymentView,
    responses={200: {"model": DeploymentView}},
)
def create_deployment(parts: PartsOf, _: Writer, once: OnceOf, asked: DeploymentRequest) -> JSONResponse:
    """202, with a job to watch in `Link`; 200 where that very wish stands. A wish for a name that stands replaces it."""
    return once.answer(asked.model_dump(mode="json"), lambda: _create(parts, asked))


def _create(parts: Parts, asked: DeploymentRequest) -> Reply:
    wish = wish_of(parts, asked)
    if asked.canary_percent is not None:
        wish = with_canary(parts.records.running(wish.name), wish, asked.canary_percent)
    standing = parts.catalog.deployment(wish.name)
    if standing is not None and standing.wish.same_as(wish):
        return Reply(200, standing, {"Location": f"/v1/deployments/{wish.name}"})
    job = parts.records.wish_deployment(wish)
    headers = {"Location": f"/v1/deployments/{wish.name}", "Link": f'</v1/jobs/{job}>; rel="monitor"'}
    return Reply(202, _deployment(parts, wish.name), headers)


def wish_of(parts: Parts, asked: DeploymentRequest) -> DeploymentWish:
    """Names resolved to what they mean now, so that the wish stays what it was. Raises NotFound, InvalidInput,
    and where no such export was published NotReady or BeyondLimit."""
    model = model_of(parts, meant(parts, asked.model)) if asked.model is not None else None
    base = model.base if model else asked.base or parts.settings.default_base
    if asked.base not in (None, base):
        raise InvalidInput(f"{asked.model} was tuned from {base}, and can be served on no other base: leave `base` out.")
    require_base(parts.store, base)
    if isinstance(asked.speculation, DraftSpeculation):
        require_base(parts.store, asked.speculation.model)
    return DeploymentWish(
        name=asked.name, model=model.id if model else None, base=base, context_tokens=asked.context_tokens,
        variant=asked.variant, export=export_to_serve(parts, model, asked.variant) if asked.variant != "adapter" else None,
        speculation=asked.speculation, engine_arguments=asked.engine_arguments, replicas=asked.replicas, wished_at=now(),
    )  # fmt: skip


def with_canary(standing: DeploymentWish, wished: DeploymentWish, percent: int) -> DeploymentWish:
    """What stands, with what is wished for as its canary. Raises Conflict where that is what stands."""
    if standing.answers_as(wished):
        raise Conflict(f"That is what {standing.name} serves: a canary is another model, or another form of it.")
    return standing.model_copy(update={"canary": Canary(percent=percent, **wished.served), "wished_at": wished.wished_at})


@router.get("", summary="List deployments")
def list_deployments(parts: PartsOf, _: Reader) -> ListPage[DeploymentView]:
    """All of them, by name: what was wished for, and what is observed."""
    return ListPage(items=tuple(_marked(parts, one) for one in parts.catalog.deployments()))


@router.get("/{name}", summary="See a deployment")
def get_deployment(parts: PartsOf, _: Reader, name: DeploymentName) -> DeploymentView:
    """What was wished for, and what is observed."""
    return _deployment(parts, name)


@router.delete("/{name}", summary="Stop a deployment", status_code=202, responses={200: {"model": DeploymentView}})
def stop_deployment(parts: PartsOf, _: Writer, name: DeploymentName, response: Response) -> DeploymentView:
    """The wish that it be stopped; 200 where that is wished already."""
    standing = _deployment(parts, name)
    if standing.wish.state == "stopped":
        response.status_code = 200
        return standing
    parts.records.wish_deployment(standing.wish.model_copy(update={"state": "stopped", "wished_at": now()}))
    view = _deployment(parts, name)
    response.headers["Link"] = f'</v1/jobs/{deployment_job(name, view.sequence)}>; rel="monitor"'
    return view


@router.post("/{name}/rollback", summary="Roll a deployment back", status_code=202)
def roll_back_deployment(parts: PartsOf, _: Writer, name: DeploymentName, response: Response) -> DeploymentView:
    """The wish that it be what it last was before it became what it is; a second time undoes the first. What is served goes on
    answering until that is ready. A canary is called off, and what is served beside it stays. 409 where it was never anything
    else, or is stopped."""
    response.headers["Link"] = f'</v1/jobs/{parts.records.roll_back(name)}>; rel="monitor"'
    return _deployment(parts, name)


@router.post("/{name}/canary/finish", summary="Serve a canary to all", status_code=202)
def finish_canary(parts: PartsOf, _: Writer, name: DeploymentName, response: Response) -> DeploymentView:
    """The wish that the deployment be what its canary is. A rollback brings back what was served before. 409 where it has no
    canary, or is stopped."""
    response.headers["Link"] = f'</v1/jobs/{parts.records.finish_canary(name)}>; rel="monitor"'
    return _deployment(parts, name)


def _deployment(parts: Parts, name: str) -> DeploymentView:
    found = parts.catalog.deployment(name)
    if found is None:
        raise NotFound(f"There is no deployment {name!r}.")
    return _marked(parts, found)


def _marked(parts: Parts, view: DeploymentView) -> DeploymentView:
    """With the forgotten documents that its model, or its canary's, was trained on."""
    models = [found for one in view.wish.models if (found := parts.catalog.model(one)) is not None]
    saw = sorted({document for one in marked(parts, models) for document in one.saw_forgotten})
    return view.model_copy(update={"saw_forgotten": tuple(saw), "guessed": guessed(view, parts.settings)})

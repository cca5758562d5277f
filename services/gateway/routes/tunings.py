"""Tunings of a deployment: settings of its engine tried on recorded prompts, and the fastest that loses nothing kept."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Reader, Writer
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.parts import Parts, PartsOf
from services.gateway.routes.deployments import DeploymentName
from services.gateway.trials.wishes import ask_tuning, latest_tuning, tuning_of, tunings_of
from shared.contracts.tunings import MOST_PROMPTS, TuningParameters, TuningPrompt, TuningView
from shared.contracts.views import ListPage

router = APIRouter(prefix="/v1/deployments/{name}/tunings", tags=["deployments"])


class TuningRequest(TuningParameters):
    """What to measure settings on."""

    prompts: tuple[TuningPrompt, ...] = Field(
        (), max_length=MOST_PROMPTS,
        description="Prompts to ask. Without any: those that people gave feedback on, and examples held out of training.",
    )  # fmt: skip


@router.post("", summary="Tune a deployment", status_code=202, response_model=TuningView)
def create_tuning(parts: PartsOf, _: Writer, once: OnceOf, name: DeploymentName, asked: TuningRequest) -> JSONResponse:
    """202, with a job to watch in `Link`. Settings are tried one at a time in an engine beside the one that serves; the
    deployment's wish becomes the fastest whose answers are the plain setting's, and a rollback undoes that. Refused where the
    deployment is not ready or has a canary, where it is being tuned (409), and where there are no prompts (422,
    `no-prompts`)."""
    return once.answer({"name": name, **asked.model_dump(mode="json")}, lambda: _create(parts, name, asked))


def _create(parts: Parts, name: str, asked: TuningRequest) -> Reply:
    parameters = TuningParameters.model_validate(asked.model_dump(exclude={"prompts"}))
    view = ask_tuning(parts, name, parameters, asked.prompts)
    headers = {
        "Location": f"/v1/deployments/{name}/tunings/{view.number}",
        "Link": f'</v1/jobs/{view.job}>; rel="monitor"',
    }
    return Reply(202, view, headers)


@router.get("", summary="List a deployment's tunings")
def list_tunings(parts: PartsOf, _: Reader, name: DeploymentName) -> ListPage[TuningView]:
    """The latest 50, newest first."""
    return ListPage(items=tuple(tunings_of(parts, name)))


@router.get("/{number}", summary="See a tuning")
def get_tuning(
    parts: PartsOf,
    _: Reader,
    name: DeploymentName,
    number: Annotated[Annotated[int, Path(ge=1)] | Literal["latest"], Path(description="Its number, or `latest`.")],
) -> TuningView:
    """How far it has come, and its report once it is done."""
    return latest_tuning(parts, name) if number == "latest" else tuning_of(parts, name, number)

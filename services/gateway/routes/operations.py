"""For those who run it: is it alive, is it ready, how is it doing, and the catalog made anew."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from services.gateway.auth import Admin
from services.gateway.parts import PartsOf
from shared import layout
from shared.reindex import reindex
from shared.telemetry import log

router = APIRouter(tags=["operations"])


class Readiness(BaseModel):
    """Each part that the gateway needs. Without the queue server it serves and takes in still: work waits in the store."""

    status: Literal["ready", "degraded", "unavailable"]
    parts: dict[str, Literal["ok", "unavailable"]] = Field(examples=[{"catalog": "ok", "store": "ok", "queue": "ok"}])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Asks nothing of any other part."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it serve?", responses={503: {"model": Readiness}})
def readyz(parts: PartsOf, response: Response) -> Readiness:
    """503 where the catalog or the store does not answer."""
    found: dict[str, Literal["ok", "unavailable"]] = {
        "catalog": _answers("catalog", parts.catalog.ping),
        "store": _answers("store", lambda: parts.store.size(layout.upload("probe"))),
        "queue": _answers("queue", parts.queue.ping),
    }
    if "unavailable" in (found["catalog"], found["store"]):
        response.status_code = 503
        return Readiness(status="unavailable", parts=found)
    return Readiness(status="ready" if found["queue"] == "ok" else "degraded", parts=found)


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Requests and their times by route, messages by queue, jobs by kind and state."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.post("/v1/reindex", summary="Rebuild the catalog from the object store")
def rebuild_catalog(parts: PartsOf, _: Admin) -> dict[str, int]:
    """Indexes everything the store holds, and answers how many of each noun there are. Doing it twice changes nothing."""
    return reindex(parts.store, parts.catalog)


def _answers(name: str, ask: Callable[[], object]) -> Literal["ok", "unavailable"]:
    try:
        ask()
    except Exception as error:
        log().warning("readyz.unavailable", part=name, error=type(error).__name__)
        return "unavailable"
    return "ok"

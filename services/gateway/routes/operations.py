"""For those who run it: is it alive, is it ready, how is it doing, and the catalog made anew."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from services.gateway.asking import ask_chore
from services.gateway.auth import Admin
from services.gateway.chores.tidying import Tidying
from services.gateway.parts import PartsOf
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.views import JobView
from shared.contracts.work import ChoreWork
from shared.halves import open_halves
from shared.telemetry import log
from shared.tracing import current_trace

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


@router.post("/v1/reindex", summary="Rebuild the catalog from the object store", status_code=202)
def rebuild_catalog(parts: PartsOf, _: Admin, response: Response) -> JobView:
    """Indexes everything the store holds; the job's `result` says how many of each noun there are. Doing it twice changes
    nothing."""
    work = ChoreWork(job=f"reindex.{_moment()}", trace=current_trace(), chore="reindex")
    return ask_chore(parts, response, work)


class Tidied(Contract):
    """What a tidying would remove: objects by kind, and bytes."""

    would_remove: dict[str, int]


@router.post(
    "/v1/tidy", summary="Remove what killed work left behind", status_code=202, response_model=JobView | Tidied,
    responses={200: {"model": Tidied}},
)  # fmt: skip
def tidy_store(
    parts: PartsOf,
    _: Admin,
    response: Response,
    older_hours: Annotated[float | None, Query(ge=0, description="Leave alone what is younger than this.")] = None,
    dry_run: Annotated[bool, Query(description="Only count: 200.")] = False,
) -> JobView | Tidied:
    """Files of attempts that were never committed, parts of uploads that broke off, checkpoints of runs that are done, and
    remembered answers past their time. It is done every so often by itself; nothing that a result names is touched."""
    seconds = (parts.settings.tidy_age_hours if older_hours is None else older_hours) * 3600
    if dry_run:
        response.status_code = 200
        tidying = Tidying(parts.store, parts.catalog, parts.leases, open_halves(parts.settings))
        return Tidied(would_remove=tidying.run(seconds, lambda done, total, unit: None, dry_run=True))
    work = ChoreWork(job=f"tidy.{_moment()}", trace=current_trace(), chore="tidy", older_seconds=seconds)
    return ask_chore(parts, response, work)


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y%m%dt%H%M%S%f")


def _answers(name: str, ask: Callable[[], object]) -> Literal["ok", "unavailable"]:
    try:
        ask()
    except Exception as error:
        log().warning("readyz.unavailable", part=name, error=type(error).__name__)
        return "unavailable"
    return "ok"

"""Jobs: long work to watch, to call off, and to start again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sse_starlette import EventSourceResponse

from services.gateway.auth import Reader, Writer
from services.gateway.events import After, job_look, watch
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared.contracts.views import FINISHED, JobKind, JobState, JobView, ListPage
from shared.errors import NotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(description="Id of the job.", pattern=r"^[a-z0-9._-]+$")]


@router.get("", summary="List jobs")
def list_jobs(
    parts: PartsOf,
    _: Reader,
    paging: PagingOf,
    kind: Annotated[JobKind | None, Query(description="Only of this kind.")] = None,
    state: Annotated[JobState | None, Query(description="Only in this state.")] = None,
) -> ListPage[JobView]:
    """Newest first."""
    return paging.page(parts.catalog.jobs(paging.slice, kind, state), lambda one: (one.created_at, one.id))


@router.get("/{job}", summary="See a job")
def get_job(parts: PartsOf, _: Reader, job: JobId) -> JobView:
    """Where it is, how far, and why it stopped if it did."""
    return _job(parts, job)


@router.delete("/{job}", summary="Call a job off", responses={202: {"model": JobView}})
def cancel_job(parts: PartsOf, _: Writer, job: JobId, response: Response) -> JobView:
    """200 where it is off; 202 where a worker is at it and will stop at its next sign of life."""
    view = parts.jobs.cancel(job)
    response.status_code = 200 if view.state in FINISHED else 202
    return view


@router.post("/{job}/retry", summary="Start a job again", status_code=202)
def retry_job(parts: PartsOf, _: Writer, job: JobId) -> JobView:
    """A dead or cancelled one; what it had committed stands."""
    return parts.jobs.retry(job)


@router.get("/{job}/events", summary="Watch a job", response_class=EventSourceResponse)
def watch_job(parts: PartsOf, _: Reader, job: JobId, after: After) -> EventSourceResponse:
    """Server-sent events: each an `EventView`, named by its kind. Ends when the job is finished."""
    _job(parts, job)
    return EventSourceResponse(watch(job_look(parts.catalog, job), after, parts.settings.event_poll_seconds))


def _job(parts: Parts, job: str) -> JobView:
    found = parts.catalog.job(job)
    if found is None:
        raise NotFound(f"There is no job {job!r}.")
    return found

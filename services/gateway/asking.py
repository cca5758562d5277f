"""Asking for a chore: written down, the loop woken, and the caller told which job to watch."""

from fastapi import Response

from services.gateway.parts import Parts
from shared.contracts.views import JobView
from shared.contracts.work import ChoreWork


def ask_chore(parts: Parts, response: Response, work: ChoreWork) -> JobView:
    """202 and the job."""
    monitored(parts, response, parts.records.ask_chore(work))
    found = parts.catalog.job(work.job)
    assert found is not None, "it was put there just now"
    return found


def monitored(parts: Parts, response: Response, job: str) -> None:
    """The answer 202 for work that a job will do, and the loop woken to do it."""
    response.status_code = 202
    response.headers["Link"] = f'</v1/jobs/{job}>; rel="monitor"'
    parts.woken.set()

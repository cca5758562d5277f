"""Operate: what waits, what runs, what broke and in which document, what is served, and who has a key."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError

from services.gateway.auth import allows
from services.gateway.guesses import guessed
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import in_words
from services.gateway.routes.jobs import JobId
from services.gateway.routes.keys import KeyRequest
from services.gateway.routes.keys import views as key_views
from services.gateway.web.entry import ByAdmin, ByReviewer, Viewer, local
from services.gateway.web.pages import back, page, router
from services.gateway.web.tunings import latest_tunings
from services.gateway.web.words import on_the_way
from services.gateway.web.workers import address, crew
from shared.catalog.protocol import Slice
from shared.clock import now
from shared.contracts.keys import Allowance
from shared.contracts.learning import DeploymentWish
from shared.contracts.views import DeploymentView, JobView
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.pipeline import STAGES

routes = router()

SHOWN = 15


@routes.get("/operate")
def operate(request: Request, parts: PartsOf, session: Viewer) -> Response:
    return _operate(request, parts, session)


def _operate(request: Request, parts: Parts, session: Any, secret: str = "", status: int = 200) -> Response:
    catalog, deployments = parts.catalog, parts.catalog.deployments()
    broken = [*catalog.jobs(Slice(SHOWN), None, "dead"), *catalog.jobs(Slice(SHOWN), None, "failed")]
    return page(
        request, session, "operate.html", status=status, here="operate", queues=_queues(parts),
        jobs=_by_kind(catalog.count_jobs()), crew=crew(parts),
        running=[_at_work(job) for job in catalog.jobs(Slice(SHOWN), None, "running")],
        waiting=catalog.jobs(Slice(SHOWN), None, "waiting"), broken=[(job, address(job)) for job in broken],
        tunings=tuple(latest_tunings(parts)),
        deployments=deployments, guessed={one.name: guessed(one, parts.settings) for one in deployments},
        keys=key_views(parts) if allows(session.key, "admin") else None, secret=secret,
        deeds=catalog.deeds(Slice(SHOWN)) if allows(session.key, "admin") else (),
    )  # fmt: skip


def _by_kind(counts: Mapping[tuple[str, str], int]) -> dict[str, list[tuple[str, int]]]:
    """Jobs by kind, and of each kind so many in each state, the most first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for (kind, state), count in sorted(counts.items(), key=lambda one: (one[0][0], -one[1])):
        found.setdefault(kind, []).append((state, count))
    return found


def _at_work(job: JobView) -> dict[str, Any]:
    return {"job": job, "address": address(job), "told": on_the_way(job.state, job.stage)}


def _queues(parts: Parts) -> dict[str, int | None]:
    """Messages that wait, by queue; None where the queue server does not answer."""
    try:
        return {name: parts.queue.depth(name) for name in dict.fromkeys(stage.queue for stage in STAGES.values())}
    except Unavailable:
        return dict.fromkeys((stage.queue for stage in STAGES.values()), None)


@routes.post("/operate/jobs/{job}/retry")
def retry(parts: PartsOf, posted: ByReviewer, job: JobId) -> Response:
    parts.jobs.retry(job)
    return back(local(posted.get("next", "/operate")))


@routes.post("/operate/jobs/{job}/cancel")
def cancel(parts: PartsOf, _: ByReviewer, job: JobId) -> Response:
    parts.jobs.cancel(job)
    return back("/operate")


@routes.post("/operate/deployments/{name}/stop")
def stop(parts: PartsOf, _: ByReviewer, name: str) -> Response:
    parts.records.wish_deployment(_standing(parts, name).model_copy(update={"state": "stopped", "wished_at": now()}))
    return back("/operate")


@routes.post("/operate/deployments/{name}/rollback")
def roll_back(parts: PartsOf, _: ByReviewer, name: str) -> Response:
    parts.records.roll_back(name)
    return back("/operate")


@routes.post("/operate/deployments/{name}/canary/finish")
def finish_canary(parts: PartsOf, _: ByReviewer, name: str) -> Response:
    parts.records.finish_canary(name)
    return back("/operate")


def _standing(parts: Parts, name: str) -> DeploymentWish:
    found: DeploymentView | None = parts.catalog.deployment(name)
    if found is None:
        raise NotFound(f"There is no deployment {name!r}.")
    return found.wish


@routes.post("/operate/keys")
def create_key(request: Request, parts: PartsOf, posted: ByAdmin) -> Response:
    """The secret is on the page that answers, once."""
    limits = {name: posted.get(name) or None for name in Allowance.model_fields if name != "schema_version"}
    try:
        asked = KeyRequest.model_validate({"name": posted.get("name"), "scopes": [posted.get("scope", "read")], **limits})
    except ValidationError as error:
        raise InvalidInput(f"There can be no such key: {in_words(error.errors())}. Go back and change it.") from None
    _, secret = parts.keys.create(asked.name, asked.scopes, allowance=asked)
    return _operate(request, parts, posted.session, secret, 201)


@routes.post("/operate/keys/{key}/revoke")
def revoke_key(parts: PartsOf, _: ByAdmin, key: str) -> Response:
    parts.keys.revoke(key)
    return back("/operate")

"""Watching work until it is finished: what the server says counts, its events only make the watching lively."""

import time
from collections.abc import Callable
from typing import Protocol

from cli.api import Api, Json
from cli.feed import Feed
from cli.shelf import FINISHED, Row, Shelf
from cli.text import segment
from shared.ids import deployment_job

LOOK_SECONDS = 0.4
RELOAD_SECONDS = 3.0


class ShelfView(Protocol):
    """Whoever shows a shelf while it is worked on."""

    def show(self, shelf: Shelf) -> None: ...
    def finished(self, row: Row) -> None: ...


def watch_shelf(api: Api, collection: str, view: ShelfView, jobs: set[str] | None = None) -> Shelf:
    """Watch a collection's documents (or those of these jobs alone) until all are finished. Raises Failure where the
    server does not answer any more."""
    path = f"/v1/collections/{segment(collection)}"
    shelf, feed = Shelf(), Feed(api, f"{path}/events")
    try:
        while True:
            documents = list(api.items(f"{path}/documents"))
            for row in shelf.load([each for each in documents if jobs is None or each["job"] in jobs]):
                view.finished(row)
            view.show(shelf)
            if shelf.finished:
                return shelf
            _follow(shelf, feed, view)
    finally:
        feed.close()


def _follow(shelf: Shelf, feed: Feed, view: ShelfView) -> None:
    """Keep the shelf up to date by events alone, until it is time to ask the server again."""
    until = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < until:
        for event in feed.wait(LOOK_SECONDS):
            shelf.apply(event)
        view.show(shelf)
        if shelf.finished:
            time.sleep(LOOK_SECONDS)
            return


def watch_job(api: Api, job: str, show: Callable[[Json], None]) -> Json:
    """Watch a job until it is finished; `show` is given the job each time something changed. Returns it as it ended."""
    path = f"/v1/jobs/{segment(job)}"
    feed = Feed(api, f"{path}/events")
    try:
        while True:
            found: Json = api.get(path)
            show(found)
            if found["state"] in FINISHED:
                return found
            feed.wait(LOOK_SECONDS * 4)
            time.sleep(LOOK_SECONDS / 2)
    finally:
        feed.close()


def watch_deployment(api: Api, name: str, show: Callable[[Json], None], seconds: float = 900.0) -> Json:
    """Watch a deployment, with its canary where it has one, until all of its replicas answer, or it failed or was stopped.
    Returns it as it is then, or as it is after so long."""
    deadline = time.monotonic() + seconds
    while True:
        found: Json = api.get(f"/v1/deployments/{segment(name)}")
        show(found)
        state = found["state"]
        over = state in ("failed", "stopped") or (state == "ready" and _canary_settled(found) and _job_over(api, found))
        if over or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_SECONDS)


def _job_over(api: Api, deployment: Json) -> bool:
    """Whether what was asked for came to its end: a deployment is ready as soon as one of its replicas answers."""
    return job_of(api, deployment)["state"] in FINISHED


def job_of(api: Api, deployment: Json) -> Json:
    """The job that brings a deployment about."""
    found: Json = api.get(f"/v1/jobs/{segment(deployment_job(deployment['name'], deployment['sequence']))}")
    return found


def _canary_settled(deployment: Json) -> bool:
    """Whether its canary answers or has failed, or there is none. One that is no longer wished for is not waited for."""
    return not deployment["wish"]["canary"] or deployment["canary"]["state"] in ("ready", "failed")

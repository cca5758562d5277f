"""Server-sent events of work on its way: the catalog's events, looked up again and again, each under its number."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Header, Query
from sse_starlette import ServerSentEvent

from services.gateway.problems import BadCursor
from shared.catalog.protocol import Catalog
from shared.contracts.views import FINISHED, EventView

BATCH = 500

Look = Callable[[int], tuple[list[EventView], bool]]
"""Given the last event seen: the next ones, and whether the work is over, so that none will follow these."""


def job_look(catalog: Catalog, job: str) -> Look:
    def look(after: int) -> tuple[list[EventView], bool]:
        # The state is read before the events: what finished by then has its last event among them.
        found = catalog.job(job)
        return catalog.events(job, after, BATCH), found is None or found.state in FINISHED

    return look


def collection_look(catalog: Catalog, collection: str, follow: bool) -> Look:
    def look(after: int) -> tuple[list[EventView], bool]:
        over = (
            not follow
            and not catalog.chores(collection)
            and all(state in FINISHED for state in catalog.count_documents(collection))
        )
        return catalog.collection_events(collection, after, BATCH), over

    return look


async def watch(look: Look, after: int, poll_seconds: float) -> AsyncIterator[ServerSentEvent]:
    """Events as they happen, until the work is over. Each look is short, so watching holds no connection to the catalog."""
    while True:
        events, over = await to_thread.run_sync(look, after)
        for event in events:
            after = event.id
            yield ServerSentEvent(event.model_dump_json(), event=event.kind, id=str(event.id))
        if len(events) == BATCH:
            continue
        if over:
            return
        await asyncio.sleep(poll_seconds)


async def _after(
    last_event_id: Annotated[str | None, Header(description="Sent by browsers when they connect again.")] = None,
    after: Annotated[int, Query(ge=0, description="Begin behind the event of this number.")] = 0,
) -> int:
    if last_event_id is None:
        return after
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 18:
        raise BadCursor("Last-Event-ID has to be the number of an event.")
    return int(last_event_id)


After = Annotated[int, Depends(_after)]

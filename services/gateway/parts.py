"""What the gateway is made of, opened once by the entry point and passed to the application."""

from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

import httpx
from fastapi import Depends, Request

from services.gateway.evidence import EvidenceShelf
from services.gateway.oidc.single_sign_on import SingleSignOn, open_single_sign_on
from services.gateway.settings import GatewaySettings
from shared.api_keys import ApiKeys
from shared.catalog.database import open_database
from shared.catalog.protocol import Catalog
from shared.catalog.sql import SqlCatalog
from shared.jobs import Jobs
from shared.objects import ObjectStore, open_store
from shared.presence import RedisWorkforce, Workforce
from shared.queue import CeleryQueue, Leases, Queue, RedisLeases, celery_app, open_redis
from shared.records import Records


@dataclass(frozen=True, slots=True)
class Parts:
    """`engines` is the client that reaches the vLLM servers."""

    settings: GatewaySettings
    store: ObjectStore
    catalog: Catalog
    queue: Queue
    leases: Leases
    engines: httpx.AsyncClient
    evidence: EvidenceShelf
    workforce: Workforce
    single_sign_on: SingleSignOn | None = None
    woken: Event = field(default_factory=Event)
    """Set where a chore was asked for, so that it is not left lying until the next sweep."""
    tuning_woken: Event = field(default_factory=Event)
    """The same for tunings, which take long and so have a loop of their own."""

    @property
    def records(self) -> Records:
        return Records(self.store, self.catalog, self.queue)

    @property
    def jobs(self) -> Jobs:
        return self.records.jobs

    @property
    def keys(self) -> ApiKeys:
        return ApiKeys(self.store, self.catalog)


def open_parts(settings: GatewaySettings) -> Parts:
    redis = open_redis(settings)
    store = open_store(settings)
    return Parts(
        settings=settings,
        store=store,
        catalog=SqlCatalog(open_database(settings.catalog_url)),
        queue=CeleryQueue(celery_app(settings), redis),
        leases=RedisLeases(redis, settings.lease_seconds),
        engines=engine_client(settings),
        evidence=EvidenceShelf(store, settings.evidence_indexes, settings.evidence_max_bytes),
        workforce=RedisWorkforce(redis),
        single_sign_on=open_single_sign_on(settings),
    )


def engine_client(settings: GatewaySettings) -> httpx.AsyncClient:
    """Waits long for an answer, and not at all for a free connection: the engines queue better than a client does.
    Proxies named by the environment are left alone, since engines are neighbours."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(settings.engine_seconds, connect=5.0),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        trust_env=False,
        headers=settings.engine_headers(),
    )


async def _of_application(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(_of_application)]

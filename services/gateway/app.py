"""The application: everything it needs is passed in, and nothing is kept in globals."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Event, Thread

from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.gateway import openapi, problems
from services.gateway.access import Access
from services.gateway.audit import Audit
from services.gateway.balance import Balance
from services.gateway.chores.kinds import chores, tunings
from services.gateway.chores.sweep import do_chores
from services.gateway.editors import Editors
from services.gateway.infill import Tokenizers
from services.gateway.leaves import Leaves
from services.gateway.limits import BodyLimit
from services.gateway.line_labels import LineOrders
from services.gateway.metering import Tally, write_for_ever
from services.gateway.metrics import Metrics
from services.gateway.parts import Parts
from services.gateway.routes import (
    classifiers,
    collections,
    datasets,
    deployments,
    documents,
    exports,
    feedback,
    forgetting,
    garbage,
    jobs,
    keys,
    ledger,
    line_labels,
    models,
    openai,
    operations,
    preferences,
    provenance,
    recipes,
    review,
    runs,
    workers,
)
from services.gateway.routes import tunings as tuning_routes
from services.gateway.web import pages
from services.gateway.web.app import VIEWS
from services.gateway.web.pictures import Pictures
from shared.recovery import Recovery, sweep_for_ever
from shared.retraining import Retraining
from shared.reviews import Reviews
from shared.version import version_here

ROUTES = (
    collections,
    documents,
    ledger,
    garbage,
    review,
    line_labels,
    feedback,
    preferences,
    classifiers,
    datasets,
    recipes,
    runs,
    models,
    exports,
    deployments,
    tuning_routes,
    jobs,
    openai,
    keys,
    provenance,
    forgetting,
    workers,
    operations,
)


def create_app(parts: Parts) -> FastAPI:
    """The gateway over its parts. They are opened by the caller; the engines' client is closed when the application ends."""
    app = FastAPI(
        title="Lectern", version=version_here(), docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        lifespan=_lifespan, generate_unique_id_function=_operation_id, redirect_slashes=False,
        # Its own spans hold paths and queries, which are users' text: `Access` opens ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.state.parts = parts
    app.state.metrics = Metrics(parts.catalog, parts.queue)
    app.state.leaves = Leaves(parts.store, parts.settings.leaves_kept)
    app.state.balance = Balance()
    app.state.editors = Editors()
    app.state.tally = Tally(parts.catalog)
    app.state.tokenizers = Tokenizers(parts.store, parts.settings.leaves_kept)
    app.state.line_orders = LineOrders(parts.store, parts.settings.leaves_kept)
    app.state.pictures = Pictures(parts.store, parts.settings.cache_dir, parts.settings.page_pictures)
    for module in ROUTES:
        app.include_router(module.router)
    for view in VIEWS:
        app.include_router(view.routes)
    app.include_router(pages.assets)
    openapi.install(app)
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=parts.settings.max_request_bytes)
    app.add_middleware(Audit, store=parts.store, catalog=parts.catalog)
    app.add_middleware(Access, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The sweeps and the chores run for as long as the application does."""
    parts: Parts = app.state.parts
    settings, stopped = parts.settings, Event()
    recovery = Recovery(parts.catalog, parts.queue, parts.leases)
    retraining = Retraining(Reviews(parts.records), settings.retrain_labels, settings.retrain_seconds)
    threads = [
        _thread("recovery-sweep", sweep_for_ever, recovery, settings.recovery_seconds, stopped),
        _thread("retraining-sweep", sweep_for_ever, retraining, settings.review_seconds, stopped),
        _thread("tally", write_for_ever, app.state.tally, stopped),
        _thread("chores", do_chores, chores(parts), settings.recovery_seconds, parts.woken, stopped),
        _thread("tunings", do_chores, tunings(parts, stopped), settings.recovery_seconds, parts.tuning_woken, stopped),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        parts.woken.set()
        parts.tuning_woken.set()
        for thread in threads:
            await to_thread.run_sync(thread.join, 10.0)
        await parts.engines.aclose()


def _thread(name: str, work: Callable[..., None], *given: object) -> Thread:
    return Thread(target=work, args=given, name=name, daemon=True)


def _operation_id(route: APIRoute) -> str:
    return route.name

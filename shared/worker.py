"""The Celery shell around a service's handlers: a task per stage, each of which hands its message to the runner."""

import os
from collections.abc import Mapping

from celery import Celery
from celery.signals import worker_ready

from shared.catalog.database import open_database
from shared.catalog.sql import SqlCatalog
from shared.objects import open_store
from shared.pipeline import STAGES, Stage
from shared.presence import Presence
from shared.queue import CeleryQueue, RedisLeases, celery_app, open_redis, task_name
from shared.runner import Runner
from shared.settings import SharedSettings
from shared.stage import Handler
from shared.telemetry import configure_logs
from shared.tracing import configure_traces


def open_runner(settings: SharedSettings, app: Celery) -> Runner:
    redis = open_redis(settings)
    return Runner(
        store=open_store(settings),
        catalog=SqlCatalog(open_database(settings.catalog_url)),
        queue=CeleryQueue(app, redis),
        leases=RedisLeases(redis, settings.lease_seconds),
        settings=settings,
    )


def register(app: Celery, stage: Stage, handler: Handler, runner: Runner, presence: Presence) -> None:
    """Make the stage's task: read the message by its contract, run it, and say what became of it."""

    @app.task(name=task_name(stage))  # type: ignore[untyped-decorator]
    def task(work: dict[str, object]) -> str:
        wanted = stage.work.model_validate(work)
        with presence.at_work(wanted.job, stage.name):
            return runner.run(stage, wanted, handler)


def serve(service: str, settings: SharedSettings, handlers: Mapping[str, Handler]) -> None:
    """Work on the queues of these stages until told to stop. One message at a time in this very process, so that a
    killed worker leaves nothing behind that still works; run more processes for more at once."""
    configure_logs(settings.log_level, settings.log_json)
    configure_traces(service, settings.otlp_endpoint)
    app = celery_app(settings)
    runner = open_runner(settings, app)
    names = sorted({STAGES[name].queue for name in handlers})
    presence = Presence(open_redis(settings), service, settings.heartbeat_seconds, names)
    for name, handler in handlers.items():
        register(app, STAGES[name], handler, runner, presence)
    worker_ready.connect(lambda **_: presence.begin(), weak=False)
    try:
        app.worker_main(
            ["--quiet", "worker", "--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat",
             f"--queues={','.join(names)}", f"--hostname={service}-{os.getpid()}@%h", f"--loglevel={settings.log_level}"]
        )  # fmt: skip
    finally:
        presence.end()

"""Entry point of serving: one controller a home directory, until it is told to end."""

import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from services.serving.adapters.bases import BaseCache
from services.serving.adapters.lora import AdapterCache
from services.serving.adapters.supervisor import SupervisedEngines
from services.serving.adapters.weights import ExportCache
from services.serving.controller import Controller
from services.serving.settings import ServingSettings, engine_environment
from services.serving.stages.identity import EngineIdentity
from shared.catalog.database import open_database
from shared.catalog.sql import SqlCatalog
from shared.errors import Conflict
from shared.objects import open_store
from shared.presence import Presence
from shared.queue import open_redis
from shared.telemetry import configure_logs, log


def serve(settings: ServingSettings, stop: Event) -> None:
    """Reconcile until `stop` is set; then end the engines too. Raises Conflict where another controller is at it."""
    with _alone(settings.home / "run" / "serving.lock"):
        store = open_store(settings)
        database = open_database(settings.catalog_url)
        bases, exports = BaseCache(store, settings.cache_dir), ExportCache(store, settings.cache_dir)
        engines = SupervisedEngines(settings, lambda engine: _weights(engine, bases, exports), engine_environment())
        adapters = AdapterCache(store, settings.cache_dir)
        controller = Controller(SqlCatalog(database), engines, bases, adapters, exports)
        presence = Presence(open_redis(settings), "serving", settings.heartbeat_seconds)
        try:
            with presence.shown():
                controller.run(stop, settings.reconcile_seconds)
        finally:
            engines.stop_all()
            database.dispose()


def _weights(engine: EngineIdentity, bases: BaseCache, exports: ExportCache) -> Path:
    return bases.fetch(engine.base) if engine.export is None else exports.fetch(engine.export)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two controllers would start each engine twice. The lock is gone with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another serving controller runs on {path.parent.parent}: stop it first") from error
        yield


def main() -> int:
    settings = ServingSettings()
    configure_logs(settings.log_level, settings.log_json)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(settings, stop)
    except Conflict as error:
        log().error("serving.refused", detail=error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

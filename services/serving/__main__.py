"""Entry point of serving: one controller a home directory, until it is told to end."""

import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from services.serving.adapters.bases import BaseCache
from services.serving.adapters.deployments import OUTSIDE, DeployedEngines
from services.serving.adapters.lora import AdapterCache, AdapterIndex
from services.serving.adapters.pod_template import read_pods
from services.serving.adapters.supervisor import SupervisedEngines
from services.serving.adapters.weights import ExportCache, PublishedExports
from services.serving.controller import Controller
from services.serving.settings import ServingSettings, engine_environment
from services.serving.stages.identity import EngineIdentity
from shared.catalog.database import open_database
from shared.catalog.protocol import Catalog
from shared.catalog.sql import SqlCatalog
from shared.errors import Conflict, InvalidInput, Unavailable
from shared.kubernetes import KubernetesApi, KubernetesRefused
from shared.objects import ObjectStore, open_store
from shared.presence import Presence
from shared.queue import open_redis
from shared.telemetry import configure_logs, log


def serve(settings: ServingSettings, stop: Event) -> None:
    """Reconcile until `stop` is set. Raises Conflict where another controller is at it on this machine, KubernetesRefused where
    engines are to run on a cluster and may not."""
    with _alone(settings.home / "run" / "serving.lock"):
        store = open_store(settings)
        database = open_database(settings.catalog_url)
        presence = Presence(open_redis(settings), "serving", settings.heartbeat_seconds)
        parts = _on_kubernetes if settings.engines_on == "kubernetes" else _on_this_machine
        try:
            with parts(settings, store, SqlCatalog(database)) as controller, presence.shown():
                controller.run(stop, settings.reconcile_seconds)
        finally:
            database.dispose()


@contextmanager
def _on_this_machine(settings: ServingSettings, store: ObjectStore, catalog: Catalog) -> Iterator[Controller]:
    """The engines are this process's own, and end with it."""
    bases, exports = BaseCache(store, settings.cache_dir), ExportCache(store, settings.cache_dir)
    engines = SupervisedEngines(settings, lambda engine: _weights(engine, bases, exports), engine_environment())
    try:
        yield Controller(catalog, engines, bases, AdapterCache(store, settings.cache_dir), exports)
    finally:
        engines.stop_all()


@contextmanager
def _on_kubernetes(settings: ServingSettings, store: ObjectStore, catalog: Catalog) -> Iterator[Controller]:
    """The engines are the cluster's, and go on without this process."""
    api = KubernetesApi(settings.kubernetes_url, settings.kubernetes_account_dir, 0, OUTSIDE)
    engines = DeployedEngines(api, read_pods(settings.engine_pod), settings)
    with suppress(Unavailable):  # It may be away for now; a right that lacks is told at once.
        engines.observe()
    bases, adapters = BaseCache(store, settings.cache_dir), AdapterIndex(store, settings.cache_dir)
    yield Controller(catalog, engines, bases, adapters, PublishedExports(store))


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
    except (Conflict, InvalidInput, KubernetesRefused) as error:
        log().error("serving.refused", detail=error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A place to train in: store, catalog, Valkey, and a Celery worker of the training service that is started again whenever it
dies, as supervisord or Kubernetes would."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from redis import Redis

from services.training.curves import read_curve
from services.training.settings import TrainingSettings
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.contracts.learning import LossPoint, TrainingResult
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.views import FINISHED
from shared.contracts.work import RunWork
from shared.ids import run_job, short
from shared.objects import ObjectStore, open_store
from shared.pipeline import TRAINING
from shared.queue import CeleryQueue, RedisLeases, celery_app
from shared.recovery import Recovery
from shared.results import committed, output_path
from tests.servers import Valkey, end
from tests.unit.training.world import examples, publish_tiny, put_dataset, put_run

TRAIN, HELDOUT = examples(24), examples(6, seed=1)
_SWEEP_SECONDS = 1.0


@dataclass
class Place:
    """One run's world."""

    root: Path
    settings: TrainingSettings
    store: ObjectStore
    catalog: SqlCatalog
    recovery: Recovery
    work: RunWork
    worker: subprocess.Popen[bytes] | None = None
    worker_starts: int = 0
    _swept_at: float = field(default=0.0)

    def attend(self) -> None:
        """What supervisord and the gateway do all along: start a dead worker again, and queue again the work left lying."""
        if self.worker is None or self.worker.poll() is not None:
            self.worker = self._start_worker()
            self.worker_starts += 1
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            self.recovery.sweep()

    def ended(self) -> str | None:
        """`trained` once the run's training is committed, or how its job ended without that; None while it goes on."""
        if committed(self.store, "training", self.work.run) is not None:
            return "trained"
        found = self.catalog.job(self.work.job)
        assert found is not None
        return found.state if found.state in FINISHED else None

    def driver(self) -> psutil.Process | None:
        """The job's own process, where there is one just now."""
        if self.worker is None or self.worker.poll() is not None:
            return None
        try:
            children = psutil.Process(self.worker.pid).children()
            return next((one for one in children if "services.training.job" in one.cmdline()), None)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return None

    def result(self) -> TrainingResult:
        manifest = committed(self.store, "training", self.work.run)
        assert manifest is not None, "a run that is done has its manifest"
        return TrainingResult.model_validate(manifest.result)

    def curve(self) -> tuple[list[LossPoint], int]:
        """The published curve, and the lines of its file, which are more where a step was written twice."""
        target = self.root / "curve.jsonl"
        self.store.download(output_path(self.store, "training", self.work.run, "curve.jsonl"), target)
        return read_curve(target), len(target.read_text(encoding="utf-8").splitlines())

    def _scratch(self) -> Path:
        """What killed processes leave lying goes with the world."""
        scratch = self.root / "tmp"
        scratch.mkdir(exist_ok=True)
        return scratch

    def _start_worker(self) -> subprocess.Popen[bytes]:
        told = {f"LECTERN_{name.upper()}": str(value) for name, value in self.settings if value is not None}
        environment = {**os.environ, **told, "TMPDIR": str(self._scratch())}
        with (self.root / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "services.training"], env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip


@contextmanager
def open_place(root: Path, base: Path, recipe: TrainingRecipe, worker_failures: int) -> Iterator[Place]:
    """A fresh world in which the run was asked for and waits for a worker; all of it ends with the context."""
    with ExitStack() as stack:
        valkey = Valkey(root / "valkey")
        valkey.start()
        stack.callback(valkey.stop)
        settings = TrainingSettings(
            store_url=f"file://{root}/store", catalog_url=f"sqlite:///{root}/catalog.db", queue_url=valkey.url,
            cache_dir=root / "cache", cpu_threads=1, poll_seconds=0.1, worker_failures=worker_failures,
            visibility_timeout_seconds=10, lease_seconds=10, retry_base_seconds=0.5,
            max_attempts=20,  # on a busy machine Ray gives up a start after 30 s, which is an attempt too
        )  # fmt: skip
        migrate(settings.catalog_url)
        engine = open_database(settings.catalog_url)
        stack.callback(engine.dispose)
        redis = Redis(port=valkey.port)
        stack.callback(redis.close)
        place = _asked(root, base, recipe, settings, SqlCatalog(engine), redis)
        stack.callback(_end_worker, place)
        yield place


def _asked(
    root: Path, base: Path, recipe: TrainingRecipe, settings: TrainingSettings, catalog: SqlCatalog, redis: Redis
) -> Place:
    store = open_store(settings)
    queue = CeleryQueue(celery_app(settings), redis)
    dataset = put_dataset(store, root / "dataset", TRAIN, HELDOUT)
    run = put_run(store, dataset, recipe, publish_tiny(store, base))
    work = RunWork(job=run_job(short(run.key)), trace="kills", run=run.key)
    catalog.put_job(NewJob(work.job, "run", short(run.key), None, TRAINING.name, work, work.trace))
    queue.put(TRAINING, work)
    recovery = Recovery(catalog, queue, RedisLeases(redis, settings.lease_seconds), silence_seconds=5)
    return Place(root, settings, store, catalog, recovery, work)


def _end_worker(place: Place) -> None:
    if place.worker is not None:
        end(place.worker)

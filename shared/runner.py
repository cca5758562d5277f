"""The one place where a stage is run: look-up, lease, attempt, retry, commit and what follows.

The Celery task around it is a shell. A result that stands is never made again; one that was made is committed by the
exclusive creation of its manifest, so a message delivered twice, or a worker killed at any point, doubles nothing.
"""

import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog
from opentelemetry.trace import SpanKind, StatusCode

from shared import layout
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.work import File, JobEvent, Manifest, Progress, Rejected, Work
from shared.errors import Cancelled, Forgotten, LeaseHeld, LecternError, NotFound, Unavailable
from shared.ids import short
from shared.indexing import register_products
from shared.objects import ObjectStore, Series, create_contract
from shared.pipeline import STAGES, Stage, following
from shared.queue import Leases, Queue
from shared.results import committed, output_path
from shared.settings import SharedSettings
from shared.stage import Handler
from shared.telemetry import log
from shared.tombstones import any_tombstone, document_of, documents_of
from shared.tracing import span

Outcome = Literal["done", "stood", "failed", "waiting", "dead", "cancelled", "elsewhere", "superseded"]
"""What became of a message. stood: the result was there already; elsewhere: another worker is at it;
superseded: the job was given other work since."""

BROKEN: frozenset[Outcome] = frozenset({"waiting", "dead"})
"""What became of a message whose stage broke."""

PROGRESS_SECONDS = 0.5


class Attempt:
    """The StageContext of one attempt, over a temporary directory."""

    def __init__(self, store: ObjectStore, catalog: Catalog, stage: Stage, work: Work, root: Path) -> None:
        self._store = store
        self._catalog = catalog
        self._stage = stage
        self.work: Any = work
        self.key = stage.key(work)
        self.out = root / "out"
        self.scratch = root / "scratch"
        self.out.mkdir()
        self.scratch.mkdir()
        self._told_at = 0.0
        self._fetched = 0
        self._kept: set[str] = set()

    def keep(self, file: Path) -> None:
        self._kept.add(self._kept_path(file))
        self._store.upload(self._kept_path(file), file)

    def recall(self, target: Path) -> bool:
        try:
            self._store.download(self._kept_path(target), target)
        except NotFound:
            target.unlink(missing_ok=True)
            return False
        self._kept.add(self._kept_path(target))
        return True

    def forget_kept(self) -> None:
        """The result stands: what was kept on the way to it is of no use any more."""
        for path in sorted(self._kept):
            self._store.delete(path)

    def _kept_path(self, file: Path) -> str:
        kept, document = layout.kept(self._stage.name, self.key), document_of(self.work)
        return f"{kept}/{short(document)}/{file.name}" if document else f"{kept}/{file.name}"

    def fetch_object(self, path: str) -> Path:
        self._fetched += 1
        target = self.scratch / f"fetched-{self._fetched}" / Path(path).name
        self._store.download(path, target)
        return target

    def fetch(self, stage: str, key: str, file: str) -> Path:
        return self.fetch_object(output_path(self._store, stage, key, file))

    def result(self, stage: str, key: str) -> dict[str, object]:
        manifest = committed(self._store, stage, key)
        if manifest is None:
            raise NotFound(f"{stage} {key[:16]} has no result", stage=stage, key=key)
        return manifest.result

    def progress(self, done: int, total: int, unit: str, **fields: float | int | str) -> None:
        at = time.monotonic()
        if done < total and at - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = at
        try:
            called_off = self._catalog.touch(self.work.job, Progress(done=done, total=total, unit=unit, fields=fields))
        except Unavailable:  # it is told again soon, and hours of training are not given up for it
            log().warning("progress.untold", done=done, unit=unit)
            return
        if called_off:
            raise Cancelled("the user called it off")


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs stages for one worker process."""

    store: ObjectStore
    catalog: Catalog
    queue: Queue
    leases: Leases
    settings: SharedSettings

    def run(self, stage: Stage, work: Work, handler: Handler) -> Outcome:
        """Take a piece of work through a stage. Raises only what the worker's process itself should die of."""
        key = stage.key(work)
        about = {"job": work.job, "stage": stage.name, "key": short(key)}
        with (
            structlog.contextvars.bound_contextvars(**about, trace=work.trace),
            span(f"stage {stage.name}", about, SpanKind.CONSUMER) as told,
        ):
            outcome = self._outcome(stage, work, key, handler)
            told.set_attribute("lectern.outcome", outcome)
            if outcome in BROKEN:
                told.set_status(StatusCode.ERROR)
            return outcome

    def _outcome(self, stage: Stage, work: Work, key: str, handler: Handler) -> Outcome:
        try:
            return self._run(stage, work, key, handler)
        except LeaseHeld:
            log().info("stage.elsewhere")
            return "elsewhere"
        except Cancelled:
            return self._cancelled(stage, work)
        except Exception as error:
            return self._broken(stage, work, error)

    def _run(self, stage: Stage, work: Work, key: str, handler: Handler) -> Outcome:
        manifest = committed(self.store, stage.name, key)
        if manifest is not None:
            return self._follow(stage, work, manifest, "stood")
        with self.leases.hold(key):
            manifest = committed(self.store, stage.name, key)
            if manifest is not None:
                return self._follow(stage, work, manifest, "stood")
            attempts = self.catalog.begin_stage(work, stage.name, key)
            if attempts == 0:
                return self._superseded()
            if attempts > self.settings.max_attempts:
                return self._dead(stage, work, "worker-lost", "Every worker that took this died at it.", attempts - 1)
            if self.catalog.touch(work.job):
                raise Cancelled("the user called it off")
            log().info("stage.begin", attempt=attempts)
            return self._follow(stage, work, self._attempt(stage, work, handler), "done")

    def _attempt(self, stage: Stage, work: Work, handler: Handler) -> Manifest:
        started_at, clock = now(), time.monotonic()
        token = layout.attempt(document_of(work), secrets.token_hex(8))
        with tempfile.TemporaryDirectory(prefix="lectern-", ignore_cleanup_errors=True) as root:
            attempt = Attempt(self.store, self.catalog, stage, work, Path(root))
            result = handler(attempt)
            rejected = result if isinstance(result, Rejected) else None
            files = {} if rejected else self._upload(stage, attempt, token)
        self._forget_tombstoned(work, files)
        manifest = Manifest(
            stage=stage.name, stage_version=stage.version, key=attempt.key, work=work.model_dump(mode="json"),
            files=files, result={} if rejected else result.model_dump(mode="json"), rejected=rejected,
            started_at=started_at, finished_at=now(), seconds=round(time.monotonic() - clock, 3),
        )  # fmt: skip
        standing = self._commit(manifest)
        attempt.forget_kept()
        return standing

    def _upload(self, stage: Stage, attempt: Attempt, token: str) -> dict[str, File]:
        paths = sorted(path for path in attempt.out.rglob("*") if path.is_file())
        names = {path.relative_to(attempt.out).as_posix(): path for path in paths}
        return {
            name: self.store.upload(layout.attempt_file(stage.name, attempt.key, token, name), path)
            for name, path in names.items()
        }

    def _forget_tombstoned(self, work: Work, files: dict[str, File]) -> None:
        """A document that was forgotten while it was being worked on leaves nothing behind. Raises Forgotten."""
        if not any_tombstone(self.store, documents_of(self.store, work)):
            return
        for file in files.values():
            self.store.delete(file.path)
        raise Forgotten("A document that this was to be made of was forgotten meanwhile. Ask for it anew, without it.")

    def _commit(self, manifest: Manifest) -> Manifest:
        if create_contract(self.store, layout.manifest(manifest.stage, manifest.key), manifest):
            return manifest
        standing = committed(self.store, manifest.stage, manifest.key)
        assert standing is not None, "an object that could not be created must exist"
        # It may be this very one: a store that dies between the writing and the answer is asked again, and says that it stands.
        named = {file.path for file in standing.files.values()}
        for file in manifest.files.values():
            if file.path not in named:
                self.store.delete(file.path)
        return standing

    def _follow(self, stage: Stage, work: Work, manifest: Manifest, outcome: Outcome) -> Outcome:
        """Record a committed result and set off what comes after it."""
        if manifest.rejected is not None:
            self.catalog.stage_done(work, manifest, None)
            log().info("stage.rejected", reason=manifest.rejected.reason)
            return "failed"
        then = following(stage, work)
        if then is None:
            register_products(self.store, self.catalog, work, manifest)
        if not self.catalog.stage_done(work, manifest, then):
            return self._superseded()
        log().info(f"stage.{outcome}", seconds=manifest.seconds)
        if then is not None:
            self._put(STAGES[then], work)
        return outcome

    def _superseded(self) -> Outcome:
        """The job wants other work by now, or is not known: whatever was committed stands for whoever needs it."""
        log().info("stage.superseded")
        return "superseded"

    def _put(self, stage: Stage, work: Work) -> None:
        try:
            self.queue.put(stage, work)
        except Unavailable:
            log().warning("queue.unavailable", left_to="recovery")

    def _cancelled(self, stage: Stage, work: Work) -> Outcome:
        self._tell(work, JobEvent(kind="cancelled", stage=stage.name, key=stage.key(work), at=now(), trace=work.trace))
        self.catalog.finish_job(work.job, "cancelled", "cancelled", "Called off by a user.", now())
        log().info("stage.cancelled")
        return "cancelled"

    def _broken(self, stage: Stage, work: Work, error: Exception) -> Outcome:
        """An exception: try again later where that can help, else give the work up and say why."""
        code = error.code if isinstance(error, LecternError) else "internal"
        detail = str(error) if isinstance(error, LecternError) else f"{type(error).__name__} in {stage.name}"
        log().error("stage.broken", code=code, exc_info=error)
        attempts = self.catalog.attempts(work.job)
        gives_up = isinstance(error, LecternError) and not error.retryable
        if gives_up or attempts >= self.settings.max_attempts:
            return self._dead(stage, work, code, detail, attempts)
        wait = self.settings.retry_base_seconds * 2 ** max(0, attempts - 1)
        self.catalog.retry_job(work.job, time.time() + wait, code, detail)
        return "waiting"

    def _dead(self, stage: Stage, work: Work, code: str, detail: str, attempts: int) -> Outcome:
        event = JobEvent(
            kind="dead", stage=stage.name, key=stage.key(work), code=code, detail=detail, attempts=attempts, at=now(),
            trace=work.trace,
        )  # fmt: skip
        self._tell(work, event)
        self.catalog.finish_job(work.job, "dead", code, detail, event.at)
        log().error("stage.dead", code=code, attempts=attempts)
        return "dead"

    def _tell(self, work: Work, event: JobEvent) -> None:
        Series(self.store, layout.job_events(work.job)).append(event)

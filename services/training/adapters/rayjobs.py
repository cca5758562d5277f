"""A run as a RayJob: made through the Kubernetes API, watched until it is over, deleted when nobody wants it any more.

A worker that dies by kill -9 leaves its RayJob running; the next attempt at the run finds it by its name and goes on watching.
If none does, the job sees no sign of life for a while and ends itself.
"""

import contextlib
import importlib.metadata
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from services.training.adapters.handover import ClusterJob, Handover, Rows
from services.training.settings import TrainingSettings
from services.training.stages.rayjob import (
    GROUP,
    PLURAL,
    VERSION,
    Limits,
    Pods,
    Status,
    is_leaving,
    rayjob_manifest,
    rayjob_name,
    status_of,
)
from shared.contracts.work import Rejected
from shared.errors import InvalidInput, LecternError, Unavailable
from shared.kubernetes import Kind, KubernetesApi
from shared.objects import ObjectStore
from shared.telemetry import log

_BY_CHART = "the chart does with workers.training.settings.rayAddress=kuberay"
RAYJOBS = Kind(
    GROUP, VERSION, PLURAL, ("create", "get", "list", "watch", "delete"), _BY_CHART, "install the KubeRay operator and its CRDs"
)
OUTSIDE = f"run the training worker in a pod whose account token is mounted ({_BY_CHART}), or set LECTERN_RAY_ADDRESS=local"
_ENTRYPOINT = "python -m services.training.in_cluster"
_CURVE_SECONDS, _SIGN_SECONDS = 2.0, 15.0
_RELEASE_SECONDS = 10.0
"""How long a deletion is waited for: within what a cancelled job has before it is killed (`stop_seconds`)."""


class RayJobFailed(LecternError):
    """KubeRay gave the job up: the message holds its reason. Training goes on from the last checkpoint when tried again."""

    code = "rayjob-failed"
    retryable = True


@dataclass(frozen=True, slots=True)
class RayJobs:
    """Trains runs on a cluster."""

    api: KubernetesApi
    store: ObjectStore
    settings: TrainingSettings

    def train(self, job: ClusterJob, rows: Rows, live_curve: Path) -> Rejected | None:
        """Returns when the run's last checkpoint stands in the store, or with its refusal.

        Raises RayJobFailed; KubernetesRefused; Unavailable. Whatever ends this, kill -9 apart, deletes the RayJob.
        """
        pods = read_pods(self.settings.rayjob_pods)
        handover = Handover(self.store, job.run)
        name = rayjob_name(job.run)
        with _terminated_by_exception(), self._released(name), _told_of(handover, live_curve):
            self._ensure(name, job, rows, pods, handover, live_curve.parent)
            status = self._watched(name)
        refusal = handover.refusal()
        if refusal is None and status.state == "failed":
            raise RayJobFailed(f"the RayJob {name} failed ({status.detail})")
        return refusal

    def _ensure(self, name: str, job: ClusterJob, rows: Rows, pods: Pods, handover: Handover, scratch: Path) -> None:
        """Take up the RayJob that an earlier attempt left at work, or make one."""
        standing = self.api.get(RAYJOBS, name)
        if standing is not None and not is_leaving(standing) and status_of(standing).state != "failed":
            log().info("rayjob.taken-up", name=name)
            return
        if standing is not None:
            self.api.delete(RAYJOBS, name)
            self._wait_until_gone(name, self.settings.kubernetes_patience_seconds)
        handover.offer(job, rows, scratch)
        self.api.create(RAYJOBS, self._manifest(job, pods))
        log().info("rayjob.created", name=name, workers=job.recipe.workers)

    def _manifest(self, job: ClusterJob, pods: Pods) -> dict[str, Any]:
        limits = Limits(self.settings.rayjob_seconds, self.settings.rayjob_start_seconds, self.settings.rayjob_retries)
        version = importlib.metadata.version("ray")
        return rayjob_manifest(job.run, f"{_ENTRYPOINT} {job.run}", job.recipe.workers, pods, limits, version)

    def _watched(self, name: str) -> Status:
        told = None
        for rayjob in self.api.follow(RAYJOBS, name):
            if rayjob is None:
                return Status("failed", "it was deleted by somebody else")
            status = status_of(rayjob)
            if status != told:
                told = status
                log().info("rayjob.status", name=name, state=status.state, detail=status.detail)
            if status.state in ("succeeded", "failed"):
                return status
        return Status("failed", "it is not there any more")

    @contextlib.contextmanager
    def _released(self, name: str) -> Iterator[None]:
        """At the end the RayJob is deleted, and with it its cluster and pods."""
        try:
            yield
        finally:
            try:
                self.api.delete(RAYJOBS, name)
                self._wait_until_gone(name, _RELEASE_SECONDS)
            except LecternError as error:
                log().warning("rayjob.lingers", name=name, detail=error.message)

    def _wait_until_gone(self, name: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.api.get(RAYJOBS, name) is not None:
            if time.monotonic() > deadline:
                raise Unavailable(f"the RayJob {name} was deleted, but its cluster is not gone after {seconds:.0f} s")
            time.sleep(0.2)


def read_pods(path: Path) -> Pods:
    """The pod templates that the chart wrote. Raises InvalidInput where there are none."""
    try:
        found = json.loads(path.read_bytes())
        return Pods(head=dict(found["head"]), worker=dict(found["worker"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} holds no pod templates for Ray (JSON with head and worker): the chart writes them where "
            "workers.training.settings.rayAddress is kuberay; "
            "elsewhere, write the file and name it in LECTERN_RAYJOB_PODS"
        ) from error


@contextlib.contextmanager
def _told_of(handover: Handover, live_curve: Path) -> Iterator[None]:
    """Meanwhile the curve is fetched as it grows, and the job is told that somebody watches it."""
    stop = threading.Event()
    thread = threading.Thread(target=_tell, args=(handover, live_curve, stop), daemon=True, name="rayjob-watch")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_CURVE_SECONDS)


def _tell(handover: Handover, live_curve: Path, stop: threading.Event) -> None:
    number, signed_at = time.time_ns(), 0.0
    while True:
        try:
            if time.monotonic() - signed_at >= _SIGN_SECONDS:
                number += 1
                handover.give_sign(number, live_curve.parent)
                signed_at = time.monotonic()
            handover.fetch_curve(live_curve)
        except Exception as error:  # a store that is away for a moment costs a look, not the run
            log().warning("rayjob.store-unseen", detail=str(error))
        if stop.wait(_CURVE_SECONDS):
            return


@contextlib.contextmanager
def _terminated_by_exception() -> Iterator[None]:
    """SIGTERM, by which a cancelled job is ended, unwinds the stack, so that the RayJob is deleted on the way."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

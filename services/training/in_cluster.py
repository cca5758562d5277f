"""`python -m services.training.in_cluster RUN`: what a run's RayJob starts on the head of its cluster.

It reads what was handed over, asks a worker what its machine computes in, trains, and leaves checkpoints and curve in the
object store. It ends itself where nobody has watched for long: then nobody would stop it, either.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.training.settings import TrainingSettings, quiet_libraries
from services.training.spec import LIVE_CURVE
from services.training.stages.precision import Precision
from shared.objects import open_store
from shared.telemetry import configure_logs, log

UNWATCHED = 5
"""Exit status of a job that nobody watches any more."""


def main(run: str) -> int:
    settings = TrainingSettings()
    configure_logs(settings.log_level, settings.log_json)
    quiet_libraries(settings)
    from services.training.adapters.handover import Handover, StoredPoints  # noqa: PLC0415 - its libraries read the environment
    from services.training.adapters.jobs import Job, Sink  # noqa: PLC0415
    from services.training.adapters.ray_train import run_in_cluster  # noqa: PLC0415

    handover = Handover(open_store(settings), run)
    _end_when_unwatched(handover.sign, settings.rayjob_unwatched_seconds)
    with tempfile.TemporaryDirectory(prefix="lectern-") as scratch:
        work = Path(scratch)
        told, rows = handover.taken(work)

        def job(precision: Precision) -> Job:
            return Job(
                run=run, base_name=told.base_name, recipe=told.recipe, precision=precision, settings=settings,
                threads=settings.threads, work=work, packing=told.packing, heldout=rows.heldout,
                continuing=rows.continuing, judge=rows.judge,
            )  # fmt: skip

        points = Sink(StoredPoints, (settings, run, str(work / LIVE_CURVE)))
        refused = run_in_cluster(job, settings, told.recipe, rows, points)
    if refused is not None:
        # A refusal is an answer, not a failure: KubeRay would try a failure again.
        handover.refuse(refused)
        log().info("in-cluster.refused", reason=refused.reason)
    return 0


def _end_when_unwatched(sign: Callable[[], int | None], seconds: float) -> None:
    """End the process once the sign of life has stood still for so long."""

    def watch() -> None:
        last, changed_at = None, time.monotonic()
        while True:
            time.sleep(min(30.0, seconds / 4))
            try:
                found = sign()
            except Exception as error:  # a store that is away says nothing of those who watch
                log().warning("in-cluster.store-unseen", detail=str(error))
                continue
            if found != last:
                last, changed_at = found, time.monotonic()
            elif time.monotonic() - changed_at > seconds:
                log().error("in-cluster.unwatched", seconds=seconds)
                os._exit(UNWATCHED)  # from a thread, nothing less ends a process that waits for Ray

    threading.Thread(target=watch, daemon=True, name="unwatched").start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

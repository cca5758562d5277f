"""The sweep that queues unfinished work again: what waits for another attempt, what a dead worker left, what a queue lost."""

import time
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from shared.catalog.protocol import Catalog, JobWork
from shared.errors import Unavailable
from shared.pipeline import STAGES
from shared.queue import Leases, Queue
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Recovery:
    """Looks for work that nobody is at. Running it twice at once, or too often, costs a look-up per message."""

    catalog: Catalog
    queue: Queue
    leases: Leases
    silence_seconds: float = 15.0

    def sweep(self) -> int:
        """Queue what needs it; returns how many. Raises Unavailable where the queue server does not answer."""
        depths = {queue: self.queue.depth(queue) for queue in {stage.queue for stage in STAGES.values()}}
        return sum(self._recover(job, depths) for job in self.catalog.pending())

    def _recover(self, job: JobWork, depths: dict[str, int]) -> bool:
        stage = STAGES[job.stage]
        work = stage.work.model_validate(job.work)
        if not self._abandoned(job, depths[stage.queue], stage.key(work)):
            return False
        self.catalog.requeued(job.id)
        self.queue.put(stage, work)
        log().info("recovery.requeued", job=job.id, stage=stage.name, was=job.state)
        return True

    def _abandoned(self, job: JobWork, depth: int, key: str) -> bool:
        at = time.time()
        if job.state == "waiting":
            return job.retry_at is not None and job.retry_at <= at
        if at - job.touched_at < self.silence_seconds:
            return False
        if job.state == "queued":
            return depth == 0
        return not self.leases.held(key)


class Sweep(Protocol):
    """What is done again and again."""

    def sweep(self) -> int:
        """Returns how much there was to do."""


def sweep_for_ever(recovery: Sweep, every_seconds: float, stopped: Event) -> None:
    """Sweep until told to stop; a queue server that is away is waited for."""
    while not stopped.wait(every_seconds):
        try:
            recovery.sweep()
        except Unavailable:
            log().warning("sweep.queue-unavailable")
        except Exception as error:
            log().error("sweep.broken", exc_info=error)

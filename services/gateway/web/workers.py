"""Who works, as Operate shows it: processes, what each is at, and the GPUs of each host."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.parts import Parts
from services.gateway.web.words import STAGES
from shared.contracts.views import JobView
from shared.contracts.workers import Gpu, WorkerView
from shared.errors import Unavailable

MOST_WORKERS = 60


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker and the page of what it is at."""

    worker: WorkerView
    doing: str
    address: str


@dataclass(frozen=True, slots=True)
class Crew:
    """Those that are shown, how many more there are, and the GPUs by host."""

    hands: tuple[Hand, ...]
    more: int
    gpus: tuple[tuple[str, Gpu], ...]


def crew(parts: Parts) -> Crew | None:
    """Silent ones first, then those at work, since they are looked for. None where the queue server does not answer."""
    try:
        present = parts.workforce.present()
    except Unavailable:
        return None
    ranked = sorted(present, key=lambda one: (one.state == "live", one.at is None))
    shown = ranked[:MOST_WORKERS]
    return Crew(tuple(_hand(parts, one) for one in shown), len(ranked) - len(shown), _gpus(present))


def _gpus(present: Sequence[WorkerView]) -> tuple[tuple[str, Gpu], ...]:
    """Each once, though many processes see it."""
    seen = {(one.host, gpu.uuid): gpu for one in present if one.state == "live" for gpu in one.gpus}
    return tuple((host, gpu) for (host, _), gpu in sorted(seen.items(), key=lambda one: (one[0][0], one[1].index)))


def _hand(parts: Parts, worker: WorkerView) -> Hand:
    if worker.at is None or worker.state == "silent":
        return Hand(worker, "", "")
    job = parts.catalog.job(worker.at.job)
    return Hand(worker, STAGES.get(worker.at.stage, worker.at.stage), address(job) if job else "/operate")


def address(job: JobView) -> str:
    """The page of what a job makes."""
    if job.kind == "document":
        return f"/shelf/{job.collection}/documents/{job.subject}"
    return {"dataset": f"/datasets/{job.subject}", "run": f"/runs/{job.subject}"}.get(job.kind, "/operate")

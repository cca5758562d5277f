"""Who works: what a process of Lectern tells of itself, again and again, and how that is shown."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract


class Gpu(Contract):
    """A GPU as the driver tells of it. Memory is None where the driver does not say (a GPU cut into instances)."""

    uuid: str
    index: int
    name: str
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None


class AtWork(Contract):
    """What a worker is doing just now."""

    job: str
    stage: str
    since: str


class WorkerReport(Contract):
    """A sign of life. Kept by the queue server for a while, and no fact: nothing is decided by it."""

    id: str = Field(description="`<service>-<pid>@<host>`.")
    service: str
    host: str
    pid: int
    version: str = Field(description="Of Lectern, as installed there.")
    queues: tuple[str, ...] = Field((), description="Which it takes work from; none for the gateway and the controller.")
    started_at: str
    beat_seconds: float = Field(description="Time between two signs of life.")
    at: AtWork | None = None
    gpus: tuple[Gpu, ...] = Field((), description="Those that this process can see.")


class WorkerView(WorkerReport):
    """A worker as others see it. silent: three signs of life are missing, and it did not say that it ends."""

    state: Literal["live", "silent"]
    heard_seconds: float = Field(description="Since its last sign of life.")

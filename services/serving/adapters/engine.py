"""One engine: a process of vLLM or llama.cpp, written down so that whoever comes next finds it, and its state by probes."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from services.serving.adapters import children
from services.serving.adapters.commands import Launch
from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.last_words import TAIL_BYTES, last_error
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.contracts.base import Contract
from shared.errors import Unavailable


class EngineRecord(Contract):
    """What a controller must know of an engine that another started."""

    engine: EngineIdentity
    replica: int = 0
    context_tokens: int
    lora_rank: int
    endpoint: str
    process: children.ChildRecord


class EngineProcess:
    """A running engine. It becomes ready once, with its first token, or where it answers others already: it may have been
    adopted at work. Later probes only ask whether it lives."""

    def __init__(self, record: EngineRecord, settings: ServingSettings) -> None:
        self.record = record
        self.seat = Seat(engine=record.engine, replica=record.replica)
        self.spec = EngineSpec(record.engine, record.context_tokens, record.lora_rank)
        self.endpoint = record.endpoint
        self.api = EngineApi(record.endpoint, settings.probe_timeout_seconds, settings.engine_headers())
        self._settings = settings
        self._ready = False
        self._adapters: frozenset[str] | None = None
        self._failed_probes = 0

    @classmethod
    def start(cls, seat: Seat, spec: EngineSpec, launch: Launch, settings: ServingSettings) -> "EngineProcess":
        log_file = log_path(settings, seat)
        if log_file.exists():
            log_file.replace(log_file.with_suffix(".log.1"))
        process = children.start(launch.command, launch.environment, log_file)
        record = EngineRecord(
            engine=spec.engine, replica=seat.replica, context_tokens=spec.context_tokens, lora_rank=spec.lora_rank,
            endpoint=launch.endpoint, process=process,
        )  # fmt: skip
        path = record_path(settings, seat)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(record.model_dump_json(), encoding="utf-8")
        part.replace(path)
        return cls(record, settings)

    @property
    def ready(self) -> bool:
        """Whether it was seen to generate."""
        return self._ready

    def probe(self) -> Literal["starting", "ready", "dead"]:
        """Look at it once. Dead is: no such process, no token within the start timeout, or deaf to health checks."""
        if not children.is_alive(self.record.process):
            return "dead"
        if not self._ready:
            self._ready = self.api.generates(self.spec.engine.served_name)
            age = time.time() - self.record.process.created_at
            expired = age > self._settings.start_timeout_seconds
            return "ready" if self._ready else "dead" if expired and self._deaf(heard=False) else "starting"
        return "dead" if self._deaf(self.api.is_healthy()) else "ready"

    def adapters(self) -> frozenset[str] | None:
        """Served names of the adapters it holds, as last told; None where it has not told yet."""
        with suppress(Unavailable):
            self._adapters = frozenset(name for name, parent in self.api.models().items() if parent is not None)
        return self._adapters

    def requests(self) -> int | None:
        """How many it answers or has waiting; None where it does not tell."""
        return self.api.requests()

    def end(self) -> None:
        """End it with all its processes, and forget it."""
        children.end(self.record.process, self._settings.stop_timeout_seconds)
        self.api.close()
        record_path(self._settings, self.seat).unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last error of its log, for people."""
        return last_error(_tail(log_path(self._settings, self.seat)))

    def _deaf(self, heard: bool) -> bool:
        self._failed_probes = 0 if heard else self._failed_probes + 1
        return self._failed_probes >= self._settings.probe_failures


def found(settings: ServingSettings) -> Mapping[Seat, EngineProcess]:
    """Engines that an earlier controller wrote down, by where they run, whether or not they still run."""
    engines = {}
    for path in (settings.home / "run" / "engines").glob("*.json"):
        try:
            record = EngineRecord.model_validate_json(path.read_bytes())
        except ValueError:
            path.unlink(missing_ok=True)  # Of an older version: its process, if any, was of that version too.
            continue
        process = EngineProcess(record, settings)
        engines[process.seat] = process
    return engines


def record_path(settings: ServingSettings, seat: Seat) -> Path:
    return settings.home / "run" / "engines" / f"{seat.name}.json"


def log_path(settings: ServingSettings, seat: Seat) -> Path:
    return settings.home / "log" / f"engine-{seat.name}.log"


def _tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return log.read()

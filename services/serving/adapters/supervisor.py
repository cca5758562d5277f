"""The engines of this machine: adopted, started, watched, restarted with back-off, and stopped."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from services.serving.adapters import engine as engines
from services.serving.adapters.commands import free_port
from services.serving.adapters.draining import Leaving, still_asked
from services.serving.adapters.engine import EngineProcess
from services.serving.adapters.launching import check_architecture, check_possible, launch
from services.serving.adapters.lora import Adapter
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import Engine, EngineSpec, Problem
from shared.contracts.engines import DraftSpeculation
from shared.errors import InvalidInput, LecternError, Unavailable
from shared.telemetry import log

GIVES_UP_AFTER = 3
"""Failures in a row after which users are told that it failed; it is tried on, ever more rarely."""


@dataclass
class _Slot:
    """An engine over its lives: the process of now, and how the earlier ones ended."""

    seat: Seat
    spec: EngineSpec
    process: EngineProcess | None = None
    refused: dict[str, Problem] = field(default_factory=dict)
    failures: int = 0
    problem: Problem | None = None
    retry_at: float = 0.0
    leaving: Leaving | None = None


class SupervisedEngines:
    """Engines as supervised child processes. `fetch` gives the directory of an engine's weights and may raise."""

    def __init__(
        self, settings: ServingSettings, fetch: Callable[[EngineIdentity], Path], inherited: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._inherited = inherited
        found = engines.found(settings)
        self._slots = {seat: _Slot(seat, process.spec, process) for seat, process in found.items()}

    def check(self, engine: EngineIdentity) -> None:
        """Raises Unsupported where no such engine can run on this machine."""
        check_possible(self._settings, engine)

    def check_architecture(self, engine: EngineIdentity, model_type: str) -> None:
        """Raises Unsupported where such an engine cannot run a base of this kind."""
        check_architecture(self._settings, engine, model_type)

    def observe(self) -> dict[Seat, Engine]:
        """Each engine as it is now; one found dead is cleared away."""
        return {seat: self._observe(slot) for seat, slot in self._slots.items()}

    def start(self, seat: Seat, spec: EngineSpec) -> None:
        """Start an engine. What stands against it is kept as the engine's problem, not raised."""
        slot = self._slots.setdefault(seat, _Slot(seat, spec))
        slot.spec, slot.refused = spec, {}
        try:
            directory, draft = self._fetch(spec.engine), self._draft(spec.engine)
            started = launch(self._settings, spec, directory, self._inherited, free_port(self._ports()), draft)
            slot.process = EngineProcess.start(seat, spec, started, self._settings)
        except LecternError as error:
            self._failed(slot, Problem(error.code, error.message), hopeless=not error.retryable)
        except OSError as error:
            self._failed(slot, Problem("unavailable", f"the engine could not be started: {error.strerror}"))
        else:
            log().info("engine.started", engine=seat.name, pid=slot.process.record.process.pid, endpoint=slot.process.endpoint)

    def stop(self, seat: Seat) -> bool:
        """End an engine and forget all about it, once it has answered what it began. Returns whether it is gone: until then
        it is to be asked again."""
        slot = self._slots.get(seat)
        if slot is not None and slot.process is not None and self._answers(slot, slot.process):
            return False
        self._end(seat)
        return True

    def stop_all(self) -> None:
        for seat in list(self._slots):
            self._end(seat)

    def load(self, seat: Seat, adapter: Adapter) -> None:
        """Load an adapter; a refusal is kept and seen in the next observation. Raises Unavailable."""
        slot = self._slots[seat]
        if slot.process is None:
            raise Unavailable(f"the engine {seat.name} is down", engine=seat.name)
        name = adapter.served_name
        try:
            slot.process.api.load_adapter(name, str(adapter.directory), self._settings.start_timeout_seconds)
        except InvalidInput as error:
            slot.refused[name] = Problem("adapter-refused", error.message)
            log().warning("adapter.refused", engine=seat.name, adapter=name, detail=error.message)
        else:
            log().info("adapter.loaded", engine=seat.name, adapter=name)

    def unload(self, seat: Seat, adapter: str) -> None:
        """Unload an adapter, or forget that it was refused. Raises Unavailable, and InvalidInput where the engine will not."""
        slot = self._slots[seat]
        if slot.refused.pop(adapter, None) is None and slot.process is not None:
            slot.process.api.unload_adapter(adapter, self._settings.probe_timeout_seconds)
            log().info("adapter.unloaded", engine=seat.name, adapter=adapter)

    def _answers(self, slot: _Slot, process: EngineProcess) -> bool:
        moment = time.monotonic()
        slot.leaving = slot.leaving or Leaving(moment)
        requests = process.requests() if process.ready else 0
        return slot.leaving.answers(requests, moment, self._settings.drain_timeout_seconds) and process.ready

    def _end(self, seat: Seat) -> None:
        slot = self._slots.pop(seat, None)
        if slot is not None and slot.process is not None:
            slot.process.end()
            log().info("engine.stopped", engine=seat.name)

    def _ports(self) -> set[int]:
        processes = (slot.process for slot in self._slots.values())
        return {port for one in processes if one is not None and (port := urlsplit(one.endpoint).port) is not None}

    def _draft(self, engine: EngineIdentity) -> Path | None:
        """The directory of the model that an engine guesses by."""
        guesses = engine.speculation
        return self._fetch(EngineIdentity(base=guesses.model)) if isinstance(guesses, DraftSpeculation) else None

    def _observe(self, slot: _Slot) -> Engine:
        slot.leaving = still_asked(slot.leaving)
        process, down = slot.process, Engine(slot.spec, "down")
        status = process.probe() if process is not None else "dead"
        if process is not None and status == "dead":
            self._bury(slot, process)
        if slot.process is None:
            return replace(down, problem=slot.problem, retry_due=time.monotonic() >= slot.retry_at)
        # One that is too busy to tell its adapters is not guessed about: nothing is loaded or let go.
        adapters = slot.process.adapters() if status == "ready" else None
        if adapters is None:
            return Engine(slot.spec, "starting", slot.process.endpoint)
        slot.failures, slot.problem = 0, None
        return Engine(slot.spec, "ready", slot.process.endpoint, adapters, dict(slot.refused))

    def _bury(self, slot: _Slot, process: EngineProcess) -> None:
        words, name = process.last_words(), slot.seat.name
        process.end()
        slot.process = None
        log().warning("engine.died", engine=name, detail=words)
        where = f"see log/engine-{name}.log in Lectern's home directory"
        self._failed(slot, Problem("engine-failed", f"the engine stopped ({words or 'no reason given'}): {where}"))

    def _failed(self, slot: _Slot, problem: Problem, hopeless: bool = False) -> None:
        slot.failures += 1
        if hopeless or slot.failures >= GIVES_UP_AFTER:
            slot.problem = problem
        wait = min(self._settings.retry_base_seconds * 2 ** (slot.failures - 1), self._settings.max_back_off_seconds)
        slot.retry_at = time.monotonic() + wait
        log().warning("engine.failed", engine=slot.seat.name, code=problem.code, detail=problem.detail, failures=slot.failures)

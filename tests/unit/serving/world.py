"""A world small enough to reason about: rows and engines that do what the real ones do, one step at a time."""

from dataclasses import dataclass, field, replace

from services.serving.adapters.lora import Adapter
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import (
    Action,
    Engine,
    EngineSpec,
    LoadAdapter,
    Mark,
    Observed,
    Problem,
    Row,
    StartEngine,
    StopEngine,
    UnloadAdapter,
)
from shared.errors import LecternError, Unavailable, Unsupported


@dataclass
class SimulatedEngines:
    """Engines that take one observation to become ready, in ports of their own."""

    engines: dict[Seat, Engine] = field(default_factory=dict)
    refuses: frozenset[str] = frozenset()
    starts: int = 0
    impossible: str = ""
    broken: frozenset[int] = frozenset()
    """Replicas that never come up."""
    deaf: frozenset[int] = frozenset()
    """Replicas that are not there to be asked."""
    busy: bool = False
    """Whether they have requests that they still answer."""
    refuse: dict[str, LecternError] = field(default_factory=dict)
    """What is said to whoever asks something of an engine of a base."""

    def check(self, engine: EngineIdentity) -> None:
        if self.impossible:
            raise Unsupported(self.impossible)

    def check_architecture(self, engine: EngineIdentity, model_type: str) -> None:
        pass

    def observe(self) -> dict[Seat, Engine]:
        seen = dict(self.engines)
        for seat, engine in self.engines.items():
            if engine.status == "starting":
                self.engines[seat] = replace(engine, status="ready")
        return seen

    def start(self, seat: Seat, spec: EngineSpec) -> None:
        assert seat.engine == spec.engine
        assert self.engines.get(seat) is None or self.engines[seat].status == "down", "started twice"
        self.starts += 1
        if seat.replica in self.broken:
            why = Problem("engine-failed", "the engine stopped (out of memory)")
            self.engines[seat] = Engine(spec, "down", problem=why, retry_due=False)
            return
        self.engines[seat] = Engine(spec, "starting", f"http://127.0.0.1:{9000 + self.starts}")

    def stop(self, seat: Seat) -> bool:
        self._refuse(seat)
        if self.busy:
            return False
        del self.engines[seat]
        return True

    def load(self, seat: Seat, adapter: Adapter) -> None:
        self.take(seat, adapter.served_name)

    def take(self, seat: Seat, adapter: str) -> None:
        engine = self.engines[seat]
        if seat.replica in self.deaf:
            raise Unavailable("the engine did not answer")
        assert engine.status == "ready" and engine.spec.lora_rank and adapter not in engine.adapters
        if adapter in self.refuses:
            self.engines[seat] = replace(engine, refused={**engine.refused, adapter: Problem("adapter-refused", "bad")})
        else:
            self.engines[seat] = replace(engine, adapters=engine.adapters | {adapter})

    def unload(self, seat: Seat, adapter: str) -> None:
        self._refuse(seat)
        engine = self.engines[seat]
        refused = {name: problem for name, problem in engine.refused.items() if name != adapter}
        self.engines[seat] = replace(engine, adapters=engine.adapters - {adapter}, refused=refused)

    def _refuse(self, seat: Seat) -> None:
        if seat.engine.base in self.refuse:
            raise self.refuse[seat.engine.base]

    def die(self, seat: Seat) -> None:
        self.engines[seat] = Engine(self.engines[seat].spec, "down")

    def serves(self, row: Row) -> bool:
        """Whether each replica that a row points at is there to answer."""
        there = {engine.endpoint for engine in self.engines.values() if engine.serves(row.served_model)}
        return bool(row.endpoints) and there.issuperset(row.endpoints)


@dataclass
class World:
    """Rows and engines, changed by actions."""

    rows: dict[str, Row] = field(default_factory=dict)
    engines: SimulatedEngines = field(default_factory=SimulatedEngines)

    def observe(self) -> Observed:
        return Observed(dict(self.rows), self.engines.observe())

    def apply(self, action: Action) -> None:
        match action:
            case Mark(name, row):
                self.rows[name] = row
            case StartEngine(seat, spec):
                self.engines.start(seat, spec)
            case StopEngine(seat):
                self.engines.stop(seat)
            case LoadAdapter(seat, adapter):
                self.engines.take(seat, adapter)
            case UnloadAdapter(seat, adapter):
                self.engines.unload(seat, adapter)

"""A world small enough to reason about: rows and engines that do what the real ones do, one step at a time."""

from dataclasses import dataclass, field, replace
from pathlib import Path

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
from shared.errors import Unsupported


@dataclass
class SimulatedEngines:
    """Engines that take one observation to become ready, in ports of their own."""

    engines: dict[str, Engine] = field(default_factory=dict)
    refuses: frozenset[str] = frozenset()
    starts: int = 0
    impossible: str = ""

    def check(self) -> None:
        if self.impossible:
            raise Unsupported(self.impossible)

    def observe(self) -> dict[str, Engine]:
        seen = dict(self.engines)
        for base, engine in self.engines.items():
            if engine.status == "starting":
                self.engines[base] = replace(engine, status="ready")
        return seen

    def start(self, spec: EngineSpec) -> None:
        assert self.engines.get(spec.base) is None or self.engines[spec.base].status == "down", "started twice"
        self.starts += 1
        self.engines[spec.base] = Engine(spec, "starting", f"http://127.0.0.1:{9000 + self.starts}")

    def stop(self, base: str) -> None:
        del self.engines[base]

    def load(self, base: str, adapter: str, directory: Path) -> None:
        engine = self.engines[base]
        assert engine.status == "ready" and adapter not in engine.adapters
        if adapter in self.refuses:
            self.engines[base] = replace(engine, refused={**engine.refused, adapter: Problem("adapter-refused", "bad")})
        else:
            self.engines[base] = replace(engine, adapters=engine.adapters | {adapter})

    def unload(self, base: str, adapter: str) -> None:
        engine = self.engines[base]
        refused = {name: problem for name, problem in engine.refused.items() if name != adapter}
        self.engines[base] = replace(engine, adapters=engine.adapters - {adapter}, refused=refused)

    def die(self, base: str) -> None:
        self.engines[base] = Engine(self.engines[base].spec, "down")

    def serves(self, row: Row) -> bool:
        return any(engine.endpoint == row.endpoint and engine.serves(row.served_model) for engine in self.engines.values())


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
            case StartEngine(spec):
                self.engines.start(spec)
            case StopEngine(base):
                self.engines.stop(base)
            case LoadAdapter(base, adapter):
                self.engines.load(base, adapter, Path())
            case UnloadAdapter(base, adapter):
                self.engines.unload(base, adapter)

"""A world small enough to reason about: rows and engines that do what the real ones do, one step at a time."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from services.serving.stages.identity import EngineIdentity
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

    engines: dict[EngineIdentity, Engine] = field(default_factory=dict)
    refuses: frozenset[str] = frozenset()
    starts: int = 0
    impossible: str = ""
    busy: bool = False
    """Whether they have requests that they still answer."""

    def check(self, engine: EngineIdentity) -> None:
        if self.impossible:
            raise Unsupported(self.impossible)

    def check_architecture(self, engine: EngineIdentity, model_type: str) -> None:
        pass

    def observe(self) -> dict[EngineIdentity, Engine]:
        seen = dict(self.engines)
        for identity, engine in self.engines.items():
            if engine.status == "starting":
                self.engines[identity] = replace(engine, status="ready")
        return seen

    def start(self, spec: EngineSpec) -> None:
        assert self.engines.get(spec.engine) is None or self.engines[spec.engine].status == "down", "started twice"
        self.starts += 1
        self.engines[spec.engine] = Engine(spec, "starting", f"http://127.0.0.1:{9000 + self.starts}")

    def stop(self, engine: EngineIdentity) -> bool:
        if self.busy:
            return False
        del self.engines[engine]
        return True

    def load(self, identity: EngineIdentity, adapter: str, directory: Path) -> None:
        engine = self.engines[identity]
        assert engine.status == "ready" and engine.spec.lora_rank and adapter not in engine.adapters
        if adapter in self.refuses:
            self.engines[identity] = replace(engine, refused={**engine.refused, adapter: Problem("adapter-refused", "bad")})
        else:
            self.engines[identity] = replace(engine, adapters=engine.adapters | {adapter})

    def unload(self, identity: EngineIdentity, adapter: str) -> None:
        engine = self.engines[identity]
        refused = {name: problem for name, problem in engine.refused.items() if name != adapter}
        self.engines[identity] = replace(engine, adapters=engine.adapters - {adapter}, refused=refused)

    def die(self, engine: EngineIdentity) -> None:
        self.engines[engine] = Engine(self.engines[engine].spec, "down")

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
            case StopEngine(engine):
                self.engines.stop(engine)
            case LoadAdapter(engine, adapter):
                self.engines.load(engine, adapter, Path())
            case UnloadAdapter(engine, adapter):
                self.engines.unload(engine, adapter)

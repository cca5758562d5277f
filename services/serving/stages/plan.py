"""What to do next, given what is wished for and what runs: the pure heart of serving.

Each call plans one round from what is observed, never from what was done before, so a round may be lost or repeated.
A row that points at an adapter was ready with it; nothing a row points at is unloaded or stopped, so a new model is
loaded, made visible, and only in a later round is the old one let go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.serving.stages.identity import EngineIdentity, Seat

RANKS = (16, 32, 64, 128, 256)
"""LoRA ranks an engine is started for: vLLM takes only certain ones, and memory and time grow with the rank."""

STARTING = "starting the engine"
RESTARTING = "restarting the engine, which must make room for longer contexts or a higher LoRA rank"
RECOVERING = "the engine stopped; starting it again"
LOADING = "loading the adapter"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something cannot be had: a code for programs, a sentence for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment that should run. `adapter` is its served name, None where what the engine was started on is asked for;
    `problem` is what already stands against it, such as a model nobody has heard of."""

    name: str
    engine: EngineIdentity
    adapter: str | None = None
    lora_rank: int | None = 0
    """None where its engine takes no adapters."""
    context_tokens: int = 2_048
    serves: str | None = None
    """What it is called by people: a tuned model's id, or the base."""
    problem: Problem | None = None

    @property
    def served_model(self) -> str:
        return self.adapter or self.engine.served_name


@dataclass(frozen=True, slots=True)
class Row:
    """A deployment as users see it."""

    state: str
    detail: str | None = None
    endpoint: str | None = None
    served_model: str | None = None
    serves: str | None = None


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is started for: what it is, and how much room it has. `lora_rank` is 0 where it takes no adapters."""

    engine: EngineIdentity
    context_tokens: int
    lora_rank: int

    def covers(self, other: "EngineSpec") -> bool:
        """Whether it is the engine that `other` asks for, with at least its room."""
        if self.engine != other.engine:
            return False
        return self.context_tokens >= other.context_tokens and self.lora_rank >= other.lora_rank


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine as observed: starting, ready (it gave a token), or down (it stopped or never started)."""

    spec: EngineSpec
    status: Literal["starting", "ready", "down"]
    endpoint: str | None = None
    adapters: frozenset[str] = frozenset()
    refused: Mapping[str, Problem] = field(default_factory=dict)
    """Adapters that would not load."""
    problem: Problem | None = None
    """Why it is down, where that will not mend itself soon."""
    waits_for: str | None = None
    """What keeps it from being ready, where that is known."""
    retry_due: bool = True
    """Whether the back-off after a failure has passed."""

    def serves(self, model: str | None) -> bool:
        return (
            self.status == "ready" and model is not None and (model == self.spec.engine.served_name or model in self.adapters)
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """The world at the beginning of a round: rows by deployment, engines by where they run."""

    rows: Mapping[str, Row]
    engines: Mapping[Seat, Engine]


@dataclass(frozen=True, slots=True)
class Mark:
    """Tell users what a deployment's row now is."""

    name: str
    row: Row
    code: str | None = None


@dataclass(frozen=True, slots=True)
class StartEngine:
    seat: Seat
    spec: EngineSpec


@dataclass(frozen=True, slots=True)
class StopEngine:
    seat: Seat


@dataclass(frozen=True, slots=True)
class LoadAdapter:
    seat: Seat
    adapter: str


@dataclass(frozen=True, slots=True)
class UnloadAdapter:
    seat: Seat
    adapter: str


Pointer = tuple[str | None, str | None, str | None]
"""Endpoint, the engine's own name for the model, and the model's own."""

Action = Mark | StartEngine | StopEngine | LoadAdapter | UnloadAdapter


def plan(desired: Sequence[Wanted], observed: Observed) -> list[Action]:
    """The actions of one round, to be applied in this order; empty where the world is as desired or must be waited for."""
    possible = [one for one in desired if one.problem is None]
    specs = _specs(possible)
    return [
        *(mark for mark in verdicts(desired, observed) if mark.row != observed.rows[mark.name]),
        *_let_go(possible, specs, observed),
        *_start(specs, observed),
        *_load(possible, specs, observed),
    ]


def verdicts(desired: Sequence[Wanted], observed: Observed) -> list[Mark]:
    """What each deployment's row should say of the world as it is; a row that has no wish to run is stopped."""
    wanted = {one.name: one for one in desired}
    specs = _specs([one for one in desired if one.problem is None])
    staying = [engine for engine in observed.engines.values() if _stays(engine, specs)]
    return [
        _verdict(wanted[name], _pointer(row, staying), specs, observed) if name in wanted else Mark(name, Row("stopped"))
        for name, row in observed.rows.items()
    ]


def _specs(wanted: Sequence[Wanted]) -> dict[EngineIdentity, EngineSpec]:
    """Each engine once, with room for the most demanding of its deployments."""
    specs: dict[EngineIdentity, EngineSpec] = {}
    for one in wanted:
        known = specs.get(one.engine, EngineSpec(one.engine, 0, 0))
        room = 0 if one.lora_rank is None else next((rank for rank in RANKS if rank >= one.lora_rank), RANKS[-1])
        specs[one.engine] = EngineSpec(one.engine, max(known.context_tokens, one.context_tokens), max(known.lora_rank, room))
    return specs


def _stays(engine: Engine, specs: Mapping[EngineIdentity, EngineSpec]) -> bool:
    """Whether an engine may go on as it is: one that nobody wants may, until no row points at it."""
    spec = specs.get(engine.spec.engine)
    return spec is None or engine.spec.covers(spec)


def _pointer(row: Row, engines: Sequence[Engine]) -> Pointer:
    """The endpoint and model that a row points at, as far as they are there: what was served goes on being served
    until what is wished for can take its place."""
    there = any(_points_at(row, engine) for engine in engines)
    return (row.endpoint, row.served_model, row.serves) if there else (None, None, None)


def _points_at(row: Row, engine: Engine) -> bool:
    return row.endpoint is not None and row.endpoint == engine.endpoint and engine.serves(row.served_model)


def _verdict(one: Wanted, pointer: Pointer, specs: Mapping[EngineIdentity, EngineSpec], observed: Observed) -> Mark:
    engine = observed.engines.get(Seat(engine=one.engine))
    problem = one.problem or _trouble(one, engine)
    if problem is not None:
        return Mark(one.name, Row("failed", problem.detail, *pointer), problem.code)
    if engine is None:
        return Mark(one.name, Row("starting", STARTING, *pointer))
    if not engine.spec.covers(specs[one.engine]):
        return Mark(one.name, Row("starting", RESTARTING, *pointer))
    if engine.serves(one.served_model):
        return Mark(one.name, Row("ready", None, engine.endpoint, one.served_model, one.serves))
    details = {"starting": STARTING, "ready": LOADING, "down": RECOVERING}
    return Mark(one.name, Row("starting", details[engine.status], *pointer))


def _trouble(one: Wanted, engine: Engine | None) -> Problem | None:
    if engine is None:
        return None
    return engine.problem if engine.status == "down" else engine.refused.get(one.served_model)


def _let_go(wanted: Sequence[Wanted], specs: Mapping[EngineIdentity, EngineSpec], observed: Observed) -> Iterator[Action]:
    """What nobody wants and no row points at."""
    needed = {(one.engine, one.adapter) for one in wanted}
    for seat, engine in observed.engines.items():
        pointed = {row.served_model for row in observed.rows.values() if _points_at(row, engine)}
        if not pointed and (seat.engine not in specs or not _stays(engine, specs)):
            yield StopEngine(seat)
        elif engine.status == "ready":
            held = engine.adapters | engine.refused.keys()
            unwanted = {adapter for adapter in held if (seat.engine, adapter) not in needed}
            yield from (UnloadAdapter(seat, adapter) for adapter in sorted(unwanted - pointed))


def _start(specs: Mapping[EngineIdentity, EngineSpec], observed: Observed) -> Iterator[Action]:
    for identity, spec in specs.items():
        seat = Seat(engine=identity)
        engine = observed.engines.get(seat)
        if engine is None or (engine.status == "down" and engine.retry_due and engine.spec.covers(spec)):
            yield StartEngine(seat, spec)


def _load(wanted: Sequence[Wanted], specs: Mapping[EngineIdentity, EngineSpec], observed: Observed) -> Iterator[Action]:
    missing = {(one.engine.name, one.adapter): one.engine for one in wanted if one.adapter is not None}
    for (_, adapter), identity in sorted(missing.items(), key=lambda found: found[0]):
        seat = Seat(engine=identity)
        engine = observed.engines.get(seat)
        if engine is None or engine.status != "ready" or not engine.spec.covers(specs[identity]):
            continue
        if adapter not in engine.adapters and adapter not in engine.refused:
            yield LoadAdapter(seat, adapter)

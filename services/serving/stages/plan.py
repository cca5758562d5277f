"""What to do next, given what is wished for and what runs: the pure heart of serving.

Each call plans one round from what is observed, never from what was done before, so a round may be lost or repeated.
A row that points at an adapter was ready with it; nothing a row points at is unloaded or stopped, so a new model is
loaded, made visible, and only in a later round is the old one let go. Replicas of an engine are engines of their own: a
row points at those that hold its model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
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
    replicas: int = 1
    """So many of its engine are to answer for it, at least."""

    @property
    def served_model(self) -> str:
        return self.adapter or self.engine.served_name


@dataclass(frozen=True, slots=True)
class Row:
    """A deployment as users see it."""

    state: str
    detail: str | None = None
    endpoints: tuple[str, ...] = ()
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
    """Tell users what a deployment's row now is, and whether that is what they waited for, or as much as will come of it."""

    name: str
    row: Row
    code: str | None = None
    ends: Literal["done", "failed"] | None = None


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


Pointer = tuple[tuple[str, ...], str | None, str | None]
"""Endpoints, the engines' own name for the model, and the model's own."""
_NOWHERE: Pointer = ((), None, None)

Action = Mark | StartEngine | StopEngine | LoadAdapter | UnloadAdapter


def plan(desired: Sequence[Wanted], observed: Observed) -> list[Action]:
    """The actions of one round, to be applied in this order; empty where the world is as desired or must be waited for."""
    needs, marks = _needs(desired), verdicts(desired, observed)
    return [
        *(mark for mark in marks if mark.row != observed.rows[mark.name]),
        *_let_go(needs, [*observed.rows.values(), *(mark.row for mark in marks)], observed),
        *_start(needs, observed),
        *_load(needs, observed),
    ]


def verdicts(desired: Sequence[Wanted], observed: Observed) -> list[Mark]:
    """What each deployment's row should say of the world as it is; a row that has no wish to run is stopped."""
    wanted = {one.name: one for one in desired}
    needs = _needs(desired)
    return [
        _verdict(wanted[name], _pointer(row, needs, observed), needs, observed)
        if name in wanted
        else Mark(name, Row("stopped"), ends="done")
        for name, row in observed.rows.items()
    ]


@dataclass(frozen=True, slots=True)
class _Need:
    """What all deployments of an engine ask of it: room, replicas, and the adapters that each of them is to hold."""

    spec: EngineSpec
    replicas: int
    adapters: frozenset[str]
    names: frozenset[str]
    """The deployments that ask."""

    @property
    def seats(self) -> list[Seat]:
        return [Seat(engine=self.spec.engine, replica=replica) for replica in range(self.replicas)]

    def met_by(self, engine: Engine) -> bool:
        """Whether it holds all that it is to hold, as far as it takes it."""
        room = engine.status == "ready" and engine.spec.covers(self.spec)
        return room and self.adapters <= engine.adapters | engine.refused.keys()


Needs = Mapping[EngineIdentity, _Need]


def _needs(desired: Sequence[Wanted]) -> Needs:
    """Each engine once, with as much of all as the most demanding of its deployments asks for."""
    needs: dict[EngineIdentity, _Need] = {}
    for one in (one for one in desired if one.problem is None):
        known = needs.get(one.engine, _Need(EngineSpec(one.engine, 0, 0), 0, frozenset(), frozenset()))
        room = 0 if one.lora_rank is None else next((rank for rank in RANKS if rank >= one.lora_rank), RANKS[-1])
        context, rank = max(known.spec.context_tokens, one.context_tokens), max(known.spec.lora_rank, room)
        adapters = known.adapters | ({one.adapter} if one.adapter is not None else set())
        replicas, names = max(known.replicas, one.replicas), known.names | {one.name}
        needs[one.engine] = _Need(EngineSpec(one.engine, context, rank), replicas, adapters, names)
    return needs


def _stays(seat: Seat, engine: Engine, needs: Needs, observed: Observed) -> bool:
    """Whether an engine may go on as it is: one that nobody wants may, until no row points at it. One that has become too small
    may until it is its turn to be restarted. One that failed with more room than is wanted now may come up with less."""
    need = needs.get(seat.engine)
    if need is None:
        return True
    if engine.spec.covers(need.spec):
        return not _has_failed(engine) or engine.retry_due or engine.spec == need.spec
    return engine.status == "ready" and not _is_next(seat, engine, need, observed)


def _has_failed(engine: Engine) -> bool:
    """Whether it is down and may stay so: others wait for it no longer."""
    return engine.status == "down" and engine.problem is not None


def _is_next(seat: Seat, engine: Engine, need: _Need, observed: Observed) -> bool:
    """Whether it is this engine's turn to make room for a larger one: at once where it is alone, since the others have failed
    or there are none, and where no row points at it; of several one by one, each when those before it are back and no row that
    is to move elsewhere would be left with nothing to point at. One that is to stay gains nothing by waiting: what the others
    do not hold by then, they refused."""
    others = {other: one for other, one in observed.engines.items() if other.engine == seat.engine and other != seat}
    mates = {other: one for other, one in others.items() if not _has_failed(one)}
    small = {other for other, one in mates.items() if one.status == "ready" and not one.spec.covers(need.spec)}
    left_out = {seat} | small | (others.keys() - mates.keys())
    awaited = [observed.engines.get(other) for other in need.seats if other not in left_out]
    idle = not any(_points_at(row, engine) for row in observed.rows.values())
    if idle or (not mates and not awaited):
        return True
    if any(other.replica < seat.replica for other in small) or not all(one and need.met_by(one) for one in awaited):
        return False
    leaving = [row for name, row in observed.rows.items() if name not in need.names and row.state != "failed"]
    pointed = {row.served_model for row in leaving if _points_at(row, engine)}
    return all(any(mate.serves(model) for mate in mates.values()) for model in pointed)


def _pointer(row: Row, needs: Needs, observed: Observed) -> Pointer:
    """What a row points at, as far as it is there: what was served goes on being served until what is wished for can take its
    place, by those replicas that live and by those that have come back."""
    engines = {seat.engine for seat, engine in observed.engines.items() if _points_at(row, engine)}
    there = {
        seat: engine
        for seat, engine in observed.engines.items()
        if seat.engine in engines and engine.serves(row.served_model) and _stays(seat, engine, needs, observed)
    }
    return (_endpoints(there, needs), row.served_model, row.serves) if there else _NOWHERE


def _points_at(row: Row, engine: Engine) -> bool:
    return engine.endpoint in row.endpoints and engine.serves(row.served_model)


def _endpoints(answering: Mapping[Seat, Engine], needs: Needs) -> tuple[str, ...]:
    """Where engines that hold the same model are asked: at a replica that is one too many only where no other answers."""
    wanted = [seat for seat in answering if seat.engine not in needs or seat.replica < needs[seat.engine].replicas]
    chosen = sorted(wanted or answering, key=lambda seat: seat.replica)
    return tuple(str(answering[seat].endpoint) for seat in chosen)


def _verdict(one: Wanted, pointer: Pointer, needs: Needs, observed: Observed) -> Mark:
    if one.problem is not None:
        return _failed(one, one.problem, pointer)
    need = needs[one.engine]
    answering = {
        seat: engine
        for seat, engine in observed.engines.items()
        if engine.spec.covers(need.spec) and engine.serves(one.served_model)
    }
    others = [observed.engines.get(seat) for seat in need.seats if seat not in answering]
    troubles = [found for engine in others if (found := _trouble(one, engine)) is not None]
    hopes = [engine for engine in others if _trouble(one, engine) is None]
    if answering:
        return _ready(one, _endpoints(answering, needs), troubles, hopes, need)
    if not hopes:
        return _failed(one, troubles[0], pointer)
    return Mark(one.name, Row("starting", _doing(hopes, need), *pointer))


def _failed(one: Wanted, problem: Problem, pointer: Pointer) -> Mark:
    return Mark(one.name, Row("failed", problem.detail, *pointer), problem.code, "failed")


def _ready(
    one: Wanted, endpoints: tuple[str, ...], troubles: Sequence[Problem], hopes: Sequence[Engine | None], need: _Need
) -> Mark:
    """It answers: by all the replicas that were asked for, or by some, and then why not by the others."""
    row, count = Row("ready", None, endpoints, one.served_model, one.serves), len(endpoints)
    if count >= one.replicas:
        return Mark(one.name, row, ends="done")
    why = troubles[0].detail if troubles else _doing(hopes, need)
    told = replace(row, detail=f"{count} of {one.replicas} replicas answer{'s' if count == 1 else ''}: {why}")
    if count + len(hopes) < one.replicas:
        return Mark(one.name, told, troubles[0].code, "failed")
    return Mark(one.name, told)


def _trouble(one: Wanted, engine: Engine | None) -> Problem | None:
    if engine is None:
        return None
    return engine.problem if engine.status == "down" else engine.refused.get(one.served_model)


def _doing(engines: Sequence[Engine | None], need: _Need) -> str:
    """What is being done about engines that do not answer yet, by the one that has come furthest."""
    known = [engine for engine in engines if engine is not None]
    statuses = {engine.status for engine in known if engine.spec.covers(need.spec)}
    if "ready" in statuses:
        return LOADING
    if "starting" in statuses or not known:
        waits_for = next((engine.waits_for for engine in known if engine.waits_for is not None), None)
        return STARTING if waits_for is None else f"{STARTING}: {waits_for}"
    return RECOVERING if "down" in statuses else RESTARTING


def _let_go(needs: Needs, rows: Sequence[Row], observed: Observed) -> Iterator[Action]:
    """What nobody wants and no row points at, as it was or is now to be."""
    for seat, engine in observed.engines.items():
        pointed = {row.served_model for row in rows if _points_at(row, engine)}
        need = needs.get(seat.engine)
        wanted = need is not None and seat.replica < need.replicas and _stays(seat, engine, needs, observed)
        if not pointed and not wanted:
            yield StopEngine(seat)
        elif engine.status == "ready":
            held, needed = engine.adapters | engine.refused.keys(), need.adapters if need else frozenset()
            yield from (UnloadAdapter(seat, adapter) for adapter in sorted(held - needed - pointed))


def _start(needs: Needs, observed: Observed) -> Iterator[Action]:
    for need in needs.values():
        for seat in need.seats:
            engine = observed.engines.get(seat)
            if engine is None or (engine.status == "down" and engine.retry_due and engine.spec.covers(need.spec)):
                yield StartEngine(seat, need.spec)


def _load(needs: Needs, observed: Observed) -> Iterator[Action]:
    for need in sorted(needs.values(), key=lambda need: need.spec.engine.name):
        for adapter, seat in product(sorted(need.adapters), need.seats):
            engine = observed.engines.get(seat)
            if engine is None or engine.status != "ready" or not engine.spec.covers(need.spec):
                continue
            if adapter not in engine.adapters and adapter not in engine.refused:
                yield LoadAdapter(seat, adapter)

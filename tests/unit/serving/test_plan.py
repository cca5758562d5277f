"""Plans, applied to a simulated world."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import (
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
    Wanted,
    plan,
)
from shared.contracts.engines import EngineArguments, NgramSpeculation
from shared.ids import adapter_name
from tests.unit.serving.world import SimulatedEngines, World

ROUNDS = 12
"""Any change of wishes is carried out within so many rounds: mark, stop, start, wait, load, mark, let go, with slack."""

NAMES = ("alpha", "beta", "gamma")
REFUSED = "lectern-bad"

LLAMA = EngineIdentity(base="llama")
GUESSING = EngineIdentity(base="llama", speculation=NgramSpeculation())
MERGED = EngineIdentity(base="llama", variant="merged", export="1" * 64)
GGUF = EngineIdentity(base="llama", variant="gguf-q8_0", export="2" * 64)
FIRST = Seat(engine=LLAMA)

adapted = st.tuples(
    st.sampled_from([LLAMA, GUESSING, EngineIdentity(base="mamba")]),
    st.sampled_from([None, "lectern-a", "lectern-b", "lectern-c", REFUSED]),
    st.sampled_from([0, 8, 16, 64]),
)
exported = st.tuples(st.sampled_from([MERGED, GGUF]), st.none(), st.none())
wanted = st.builds(
    lambda served, context_tokens, problem: Wanted("", *served, context_tokens, problem=problem),
    st.one_of(adapted, exported),
    st.sampled_from([512, 2_048]),
    st.sampled_from([None, None, None, Problem("not-found", "there is no such model")]),
)
wishes = st.dictionaries(st.sampled_from(NAMES), wanted).map(
    lambda chosen: [replace(one, name=name) for name, one in chosen.items()]
)


def settle(world: World, desired: list[Wanted]) -> int:
    """Rounds until nothing is left to do. After each action, a row that points at a model must be answered."""
    for one in desired:
        world.rows.setdefault(one.name, Row("pending"))
    for count in range(ROUNDS):
        observed = world.observe()
        actions = plan(desired, observed)
        if not actions and all(engine.status != "starting" for engine in observed.engines.values()):
            return count
        for action in actions:
            world.apply(action)
            assert all(world.engines.serves(row) for row in world.rows.values() if row.endpoints), action
    raise AssertionError("the plan never came to rest")


def fresh() -> World:
    return World(engines=SimulatedEngines(refuses=frozenset({REFUSED})))


@given(st.lists(wishes, min_size=1, max_size=4))
def test_any_sequence_of_wishes_converges_and_no_visible_model_is_ever_missing(history: list[list[Wanted]]) -> None:
    world = fresh()
    for desired in history:
        settle(world, desired)
    last = {one.name: one for one in history[-1]}
    for name, row in world.rows.items():
        one = last.get(name)
        if one is None:
            assert row == Row("stopped")
        elif one.problem or one.adapter == REFUSED:
            assert row.state == "failed"
        else:
            assert (row.state, row.served_model) == ("ready", one.served_model)
            assert world.engines.serves(row)


@given(wishes)
def test_a_world_as_desired_is_left_alone(desired: list[Wanted]) -> None:
    world = fresh()
    settle(world, desired)
    assert plan(desired, world.observe()) == []


@given(st.lists(wishes, min_size=1, max_size=3))
def test_nothing_unwanted_is_kept_once_nothing_points_at_it(history: list[list[Wanted]]) -> None:
    world = fresh()
    for desired in history:
        settle(world, desired)
    kept = {(endpoint, row.served_model) for row in world.rows.values() for endpoint in row.endpoints}
    possible = {(one.engine, one.adapter) for one in history[-1] if one.problem is None}
    for seat, engine in world.engines.engines.items():
        assert seat.engine in {one for one, _ in possible} or any(endpoint == engine.endpoint for endpoint, _ in kept)
        for adapter in engine.adapters:
            assert (seat.engine, adapter) in possible or (engine.endpoint, adapter) in kept


@given(wishes, st.integers(min_value=0, max_value=ROUNDS))
def test_the_death_of_an_engine_at_any_moment_is_made_good(desired: list[Wanted], moment: int) -> None:
    world = fresh()
    world.rows = {one.name: Row("pending") for one in desired}
    for _ in range(moment):
        for action in plan(desired, world.observe()):
            world.apply(action)
    for seat in world.engines.engines:
        world.engines.die(seat)
    for row in world.rows.values():
        assert not row.endpoints or not world.engines.serves(row)
    undisturbed = fresh()
    settle(undisturbed, desired)
    for action in plan(desired, world.observe()):
        world.apply(action)
    settle(world, desired)
    assert {name: row.state for name, row in world.rows.items()} == {n: r.state for n, r in undisturbed.rows.items()}


SPEC = EngineSpec(LLAMA, 2_048, 16)
HERE, THERE = ("http://127.0.0.1:9001",), ("http://127.0.0.1:9002",)
READY = Engine(SPEC, "ready", HERE[0], frozenset({"lectern-old"}))


def one_round(desired: list[Wanted], row: Row, engine: Engine | None) -> list[object]:
    engines = {} if engine is None else {Seat(engine=engine.spec.engine): engine}
    return list(plan(desired, Observed({"alpha": row}, engines)))


def test_deployments_of_one_base_share_an_engine_with_room_for_the_most_demanding() -> None:
    desired = [Wanted("alpha", LLAMA, "lectern-a", 8, 512), Wanted("beta", LLAMA, "lectern-b", 40, 4_096)]
    actions = plan(desired, Observed({}, {}))
    assert actions == [StartEngine(FIRST, EngineSpec(LLAMA, 4_096, 64))]


def test_deployments_of_one_base_that_ask_for_another_speculation_or_argument_get_engines_of_their_own() -> None:
    exact = EngineIdentity(base="llama", arguments=EngineArguments(dtype="float32"))
    desired = [Wanted("alpha", LLAMA, "lectern-a", 8), Wanted("beta", GUESSING, "lectern-a", 8), Wanted("gamma", exact)]
    started = [action.spec for action in plan(desired, Observed({}, {})) if isinstance(action, StartEngine)]
    assert started == [EngineSpec(one, 2_048, 16) for one in (LLAMA, GUESSING, exact)]
    assert len({one.name for one in (LLAMA, GUESSING, exact, MERGED, GGUF)}) == 5


def test_an_export_has_an_engine_of_its_own_without_room_for_adapters() -> None:
    desired = [Wanted("alpha", LLAMA, "lectern-a", 8), Wanted("beta", MERGED, lora_rank=None)]
    started = [action.spec for action in plan(desired, Observed({}, {})) if isinstance(action, StartEngine)]
    assert started == [EngineSpec(LLAMA, 2_048, 16), EngineSpec(MERGED, 2_048, 0)]
    assert not started[0].covers(started[1]) and not started[1].covers(started[0])


def test_a_deployment_that_moves_to_an_export_is_answered_by_the_adapter_until_the_export_gives_a_token() -> None:
    desired, row = [Wanted("alpha", MERGED, lora_rank=None)], Row("ready", None, HERE, "lectern-old")
    starting = Engine(EngineSpec(MERGED, 2_048, 0), "starting", THERE[0])
    waiting = plan(desired, Observed({"alpha": row}, {FIRST: READY, Seat(engine=MERGED): starting}))
    assert waiting == [Mark("alpha", Row("starting", "starting the engine", HERE, "lectern-old"))]
    there = replace(starting, status="ready")
    switched = plan(desired, Observed({"alpha": waiting[0].row}, {FIRST: READY, Seat(engine=MERGED): there}))  # type: ignore[union-attr]
    assert switched == [Mark("alpha", Row("ready", None, THERE, MERGED.served_name), ends="done")]
    after = plan(desired, Observed({"alpha": switched[0].row}, {FIRST: READY, Seat(engine=MERGED): there}))  # type: ignore[union-attr]
    assert after == [StopEngine(FIRST)]


def test_a_new_adapter_is_loaded_while_the_old_one_serves() -> None:
    row = Row("pending", None, HERE, "lectern-old")
    mark, load = one_round([Wanted("alpha", LLAMA, "lectern-new", 16)], row, READY)
    assert isinstance(mark, Mark) and mark.row.served_model == "lectern-old"
    assert load == LoadAdapter(FIRST, "lectern-new")


def test_the_old_adapter_goes_only_when_no_row_points_at_it() -> None:
    both = replace(READY, adapters=frozenset({"lectern-old", "lectern-new"}))
    desired = [Wanted("alpha", LLAMA, "lectern-new", 16)]
    switch = one_round(desired, Row("starting", "loading the adapter", HERE, "lectern-old"), both)
    assert switch == [Mark("alpha", Row("ready", None, HERE, "lectern-new"), ends="done")]
    after = one_round(desired, Row("ready", None, HERE, "lectern-new"), both)
    assert after == [UnloadAdapter(FIRST, "lectern-old")]


def test_a_refused_adapter_fails_its_deployment_with_the_reason_and_is_not_tried_again() -> None:
    problem = Problem("adapter-refused", "the engine refuses it: rank 96")
    engine = replace(READY, adapters=frozenset(), refused={"lectern-new": problem})
    actions = one_round([Wanted("alpha", LLAMA, "lectern-new", 16)], Row("starting", "loading the adapter"), engine)
    assert actions == [Mark("alpha", Row("failed", problem.detail), "adapter-refused", "failed")]


def test_an_engine_that_is_down_is_started_again_only_after_its_back_off() -> None:
    desired = [Wanted("alpha", LLAMA)]
    waiting = one_round(desired, Row("starting"), Engine(SPEC, "down", retry_due=False))
    assert [type(action) for action in waiting] == [Mark]
    due = one_round(desired, Row("starting"), Engine(SPEC, "down", retry_due=True))
    assert StartEngine(FIRST, SPEC) in due


def test_a_stopped_wish_stops_the_engine_after_its_row_was_withdrawn() -> None:
    withdrawn = one_round([], Row("ready", None, HERE, "lectern-old"), READY)
    assert withdrawn[0] == Mark("alpha", Row("stopped"), ends="done") and StopEngine(FIRST) not in withdrawn
    assert one_round([], Row("stopped"), READY) == [StopEngine(FIRST)]


def test_an_adapter_is_named_by_its_content() -> None:
    assert adapter_name("0123456789abcdef" * 4) == "lectern-0123456789abcdef"

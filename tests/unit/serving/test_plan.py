"""Plans, applied to a simulated world."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

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
    Wanted,
    plan,
    verdicts,
)
from shared.contracts.engines import EngineArguments, NgramSpeculation
from shared.ids import adapter_name
from shared.keys import is_name
from tests.unit.serving.world import SimulatedEngines, World

ROUNDS = 24
"""Any change of wishes is carried out within so many rounds: mark, stop, start, wait, load, mark, let go, for one replica after
the other, with slack."""

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
    lambda served, context_tokens, problem, replicas: Wanted("", *served, context_tokens, problem=problem, replicas=replicas),
    st.one_of(adapted, exported),
    st.sampled_from([512, 2_048]),
    st.sampled_from([None, None, None, Problem("not-found", "there is no such model")]),
    st.sampled_from([1, 1, 2, 3]),
)
wishes = st.dictionaries(st.sampled_from(NAMES), wanted).map(
    lambda chosen: [replace(one, name=name) for name, one in chosen.items()]
)


def settle(world: World, desired: list[Wanted], always: Collection[str] = ()) -> int:
    """Rounds until nothing is left to do. After each action, a row that points at a model must be answered, and those that
    must answer `always` have to point at one."""
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
            assert all(world.rows[name].endpoints for name in always), action
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
            assert (row.state, row.detail, row.served_model) == ("ready", None, one.served_model)
            assert world.engines.serves(row) and len(row.endpoints) == replicas(history[-1], one.engine) >= one.replicas


def replicas(desired: list[Wanted], engine: EngineIdentity) -> int:
    """As many as the most demanding of an engine's deployments asks for."""
    return max(one.replicas for one in desired if one.engine == engine and one.problem is None)


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
        wanted = seat.engine in {one for one, _ in possible} and seat.replica < replicas(history[-1], seat.engine)
        assert wanted or any(endpoint == engine.endpoint for endpoint, _ in kept)
        for adapter in engine.adapters:
            assert (seat.engine, adapter) in possible or (engine.endpoint, adapter) in kept


moments, deaths = st.integers(min_value=0, max_value=ROUNDS), st.sets(st.integers(min_value=0, max_value=2), min_size=1)


@given(wishes, moments, deaths)
def test_the_death_of_replicas_at_any_moment_is_made_good(desired: list[Wanted], moment: int, dying: set[int]) -> None:
    world = fresh()
    world.rows = {one.name: Row("pending") for one in desired}
    for _ in range(moment):
        for action in plan(desired, world.observe()):
            world.apply(action)
    for seat in world.engines.engines:
        if seat.replica in dying:
            world.engines.die(seat)
    living = {engine.endpoint for engine in world.engines.engines.values() if engine.status == "ready"}
    before = {name: living.intersection(row.endpoints) for name, row in world.rows.items()}
    for mark in verdicts(desired, world.observe()):
        assert before[mark.name] <= set(mark.row.endpoints) <= living, "those that live are still asked, and no others"
    undisturbed = fresh()
    settle(undisturbed, desired)
    for action in plan(desired, world.observe()):
        world.apply(action)
    settle(world, desired)
    assert {name: row.state for name, row in world.rows.items()} == {n: r.state for n, r in undisturbed.rows.items()}


@given(st.lists(wishes.filter(bool), min_size=2, max_size=4))
def test_what_has_two_replicas_answers_throughout_even_while_its_engines_are_restarted(history: list[list[Wanted]]) -> None:
    world = fresh()
    for number, wished in enumerate(history):
        desired = [replace(one, replicas=2, problem=None) for one in wished if one.adapter != REFUSED]
        answering = {one.name for one in desired if world.rows.get(one.name, Row("pending")).endpoints}
        settle(world, desired, always=answering if number else set())


@given(st.lists(wishes, min_size=1, max_size=4), st.sets(st.integers(min_value=0, max_value=2), min_size=1))
def test_seats_that_never_come_up_hold_up_no_other_and_no_job(history: list[list[Wanted]], broken: set[int]) -> None:
    world = fresh()
    world.engines.broken = frozenset(broken)
    for desired in history:
        settle(world, desired)
        assert all(mark.ends for mark in verdicts(desired, world.observe())), "nobody waits for what will not come"
    for one in history[-1]:
        row = world.rows[one.name]
        if one.problem or one.adapter == REFUSED:
            assert row.state == "failed"
        elif living := set(range(replicas(history[-1], one.engine))) - broken:
            assert (row.state, row.served_model, len(row.endpoints)) == ("ready", one.served_model, len(living))


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


SECOND, TWO = Seat(engine=LLAMA, replica=1), [Wanted("alpha", LLAMA, "lectern-old", 16, replicas=2)]
OTHER, BOTH = replace(READY, endpoint=THERE[0]), Row("ready", None, (*HERE, *THERE), "lectern-old")
DOWN = Engine(SPEC, "down", retry_due=False)


def of_two(first: Engine | None, second: Engine | None, row: Row, desired: list[Wanted] = TWO) -> list[Action]:
    engines = {seat: engine for seat, engine in ((FIRST, first), (SECOND, second)) if engine is not None}
    return plan(desired, Observed({"alpha": row}, engines))


def test_a_row_goes_on_pointing_at_the_replica_that_lives_and_says_what_is_done_about_the_other() -> None:
    actions = of_two(DOWN, OTHER, BOTH)
    detail = "1 of 2 replicas answers: the engine stopped; starting it again"
    assert actions == [Mark("alpha", Row("ready", detail, THERE, "lectern-old"))]
    restarted = of_two(Engine(SPEC, "ready", "http://127.0.0.1:9003"), OTHER, actions[0].row)  # type: ignore[union-attr]
    assert restarted[1:] == [LoadAdapter(FIRST, "lectern-old")], "an engine that comes back has no adapters"


def test_a_deployment_waits_for_a_replica_that_may_come_and_has_failed_with_one_that_will_not() -> None:
    (waits,) = verdicts(TWO, Observed({"alpha": BOTH}, {FIRST: DOWN, SECOND: OTHER}))
    assert (waits.row.state, waits.ends) == ("ready", None)
    hopeless = replace(DOWN, problem=Problem("engine-failed", "the engine stopped (out of memory)"))
    (over,) = verdicts(TWO, Observed({"alpha": BOTH}, {FIRST: hopeless, SECOND: OTHER}))
    assert (over.row.state, over.ends, over.code) == ("ready", "failed", "engine-failed")
    assert over.row.detail == "1 of 2 replicas answers: the engine stopped (out of memory)"
    (alone,) = verdicts(TWO, Observed({"alpha": BOTH}, {FIRST: hopeless, SECOND: replace(hopeless)}))
    assert (alone.row, alone.ends) == (Row("failed", "the engine stopped (out of memory)"), "failed")


def test_an_adapter_that_one_replica_refuses_is_served_by_the_other() -> None:
    refuses = replace(READY, adapters=frozenset(), refused={"lectern-old": Problem("adapter-refused", "no room")})
    (told,) = verdicts(TWO, Observed({"alpha": Row("starting")}, {FIRST: refuses, SECOND: OTHER}))
    assert (told.row.state, told.row.endpoints, told.ends, told.code) == ("ready", THERE, "failed", "adapter-refused")
    assert told.row.detail == "1 of 2 replicas answers: no room"


def test_more_replicas_start_beside_what_is_there_and_restart_nothing() -> None:
    row = Row("ready", None, HERE, "lectern-old")
    mark, start = of_two(READY, None, row)
    assert start == StartEngine(SECOND, SPEC)
    assert mark == Mark("alpha", replace(row, detail="1 of 2 replicas answers: starting the engine"))


def test_of_replicas_that_are_too_many_the_highest_go_when_no_row_points_at_them() -> None:
    one = [replace(TWO[0], replicas=1)]
    withdrawn = of_two(READY, OTHER, BOTH, one)
    assert withdrawn == [Mark("alpha", Row("ready", None, HERE, "lectern-old"), ends="done")]
    assert of_two(READY, OTHER, withdrawn[0].row, one) == [StopEngine(SECOND)]  # type: ignore[union-attr]


def test_the_highest_replica_stays_for_as_long_as_no_other_answers() -> None:
    one, there = [replace(TWO[0], replicas=1)], Row("ready", None, THERE, "lectern-old")
    assert of_two(DOWN, OTHER, BOTH, one) == [Mark("alpha", there, ends="done")]
    assert of_two(READY, OTHER, there, one) == [Mark("alpha", replace(there, endpoints=HERE), ends="done")]


def test_the_deployment_that_asks_for_most_decides_and_its_neighbours_use_what_is_there() -> None:
    desired = [*TWO, Wanted("beta", LLAMA, "lectern-old", 16)]
    rows = {"alpha": BOTH, "beta": Row("pending")}
    both = {mark.name: mark for mark in verdicts(desired, Observed(rows, {FIRST: READY, SECOND: OTHER}))}
    assert both["beta"].row.endpoints == (*HERE, *THERE)
    one = {mark.name: mark for mark in verdicts(desired, Observed(rows, {FIRST: READY, SECOND: DOWN}))}
    assert (one["beta"].row.detail, one["beta"].ends) == (None, "done"), "it asked for one, and one answers"
    assert one["alpha"].ends is None


def test_a_new_model_is_asked_where_it_is_and_the_old_one_stays_where_it_is_pointed_at() -> None:
    desired = [replace(TWO[0], adapter="lectern-new")]
    first = replace(READY, adapters=frozenset({"lectern-old", "lectern-new"}))
    moved, load = of_two(first, OTHER, BOTH, desired)
    assert isinstance(moved, Mark) and (moved.row.endpoints, moved.row.served_model) == (HERE, "lectern-new")
    assert load == LoadAdapter(SECOND, "lectern-new"), "and nothing is let go while the row of before may be read"
    kept = of_two(replace(READY), OTHER, BOTH, desired)
    assert [type(one) for one in kept] == [Mark, LoadAdapter, LoadAdapter], "while no replica has it, both serve the old one"
    after = of_two(first, OTHER, moved.row, desired)
    assert UnloadAdapter(FIRST, "lectern-old") in after and UnloadAdapter(SECOND, "lectern-old") in after


def test_engines_that_have_to_grow_are_restarted_one_after_the_other() -> None:
    longer = [replace(TWO[0], context_tokens=4_096)]
    marked = of_two(READY, OTHER, BOTH, longer)
    detail = "restarting the engine, which must make room for longer contexts or a higher LoRA rank"
    assert marked == [Mark("alpha", Row("starting", detail, THERE, "lectern-old"))]
    row = marked[0].row  # type: ignore[union-attr]
    assert of_two(READY, OTHER, row, longer) == [StopEngine(FIRST)]
    grown = EngineSpec(LLAMA, 4_096, 16)
    assert of_two(None, OTHER, row, longer)[-1] == StartEngine(FIRST, grown)
    empty = of_two(Engine(grown, "ready", HERE[0]), OTHER, row, longer)
    assert [type(one) for one in empty] == [Mark, LoadAdapter], "the other stays until this one has its adapter"
    full = of_two(replace(READY, spec=grown), OTHER, row, longer)
    assert isinstance(full[0], Mark) and full[0].row.endpoints == HERE
    assert of_two(replace(READY, spec=grown), OTHER, full[0].row, longer) == [StopEngine(SECOND)]


HOPELESS = Engine(
    EngineSpec(LLAMA, 4_096, 16), "down", problem=Problem("engine-failed", "no node has a GPU to spare"), retry_due=False
)


def test_the_only_replica_that_lives_is_restarted_for_a_neighbours_longer_context_as_a_lone_one_is() -> None:
    world = fresh()
    world.engines.broken = frozenset({1})
    settle(world, TWO)
    assert len(world.rows["alpha"].endpoints) == 1
    neighbours = [*TWO, Wanted("beta", LLAMA, "lectern-b", 16, 4_096)]
    settle(world, neighbours)
    ends = {mark.name: mark for mark in verdicts(neighbours, world.observe())}
    assert (ends["alpha"].row.state, ends["alpha"].ends, ends["alpha"].code) == ("ready", "failed", "engine-failed")
    assert (ends["beta"].row.state, ends["beta"].ends) == ("ready", "done")
    assert world.engines.engines[FIRST].spec.context_tokens == 4_096


def test_a_replica_that_still_may_come_is_waited_for() -> None:
    longer, row = [replace(TWO[0], context_tokens=4_096)], Row("ready", None, HERE, "lectern-old")
    for other in (replace(HOPELESS, status="starting", problem=None), replace(HOPELESS, problem=None), None):
        (mark, *after) = of_two(READY, other, row, longer)
        assert isinstance(mark, Mark) and mark.row.endpoints == HERE and StopEngine(FIRST) not in after


def test_an_engine_that_gave_up_its_row_to_grow_is_not_kept_idle_by_another_that_is_tried_again() -> None:
    longer = [replace(TWO[0], context_tokens=4_096)]
    withdrawn, *_ = of_two(READY, replace(HOPELESS, retry_due=True), Row("ready", None, HERE, "lectern-old"), longer)
    assert isinstance(withdrawn, Mark) and withdrawn.row.endpoints == ()
    assert StopEngine(FIRST) in of_two(READY, Engine(HOPELESS.spec, "starting", THERE[0]), withdrawn.row, longer)


def test_a_model_that_the_grown_replica_refuses_does_not_keep_the_other_from_growing() -> None:
    grown = EngineSpec(LLAMA, 4_096, 16)
    refuses = Engine(grown, "ready", THERE[0], refused={REFUSED: Problem("adapter-refused", "no adapter")})
    longer, row = [replace(TWO[0], adapter=REFUSED, context_tokens=4_096)], Row("starting", None, HERE, "lectern-old")
    (mark,) = of_two(READY, refuses, row, longer)
    assert isinstance(mark, Mark) and mark.row.endpoints == ()
    assert of_two(READY, refuses, mark.row, longer) == [StopEngine(FIRST)]
    (kept, *_) = of_two(READY, refuses, row, [Wanted("alpha", MERGED), replace(longer[0], name="beta")])
    assert isinstance(kept, Mark) and kept.row.endpoints == HERE, "what is to be served elsewhere is answered until it is"


def test_what_failed_with_more_room_than_is_wanted_now_is_asked_for_with_less() -> None:
    one = [Wanted("alpha", LLAMA, "lectern-old", 16)]
    failed = Row("failed", "no node has a GPU to spare")
    assert one_round(one, failed, HOPELESS) == [StopEngine(FIRST)]
    assert one_round(one, failed, None)[-1] == StartEngine(FIRST, SPEC)
    assert one_round(one, failed, replace(HOPELESS, spec=SPEC)) == [], "and with what is wanted it is left as it is"


def test_the_name_of_a_seat_is_a_file_name_that_no_base_can_have() -> None:
    assert (FIRST.name, SECOND.name) == ("llama", "llama~1")
    assert not is_name(SECOND.name) and Path(SECOND.name).name == SECOND.name

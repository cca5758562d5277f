"""Engines as Deployments, whole: the chart's own template, the controller's process, an API server, and a kubelet's stand-in
that runs what the pods say."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.serving.settings import ServingSettings
from shared.settings import SharedSettings
from tests.chart.rendered import ENGINE_PODS, ROOT, TRIAL, Manifest, render
from tests.kubelet import Kubelet
from tests.kubernetes import NAMESPACE, Objects, api_server

KEY = "the-engines-own-key"
OWNER = "lectern-serving"
SECRETS = {"engine-api-key": KEY, "s3-access-key": "lectern", "s3-secret-key": "of-no-worth"}


def stand_in(directory: Path) -> Path:
    """An executable in vLLM's place."""
    path = directory / "vllm"
    path.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.vllm_stand_in "$@"\n')
    path.chmod(0o755)
    return path


@dataclass
class Release:
    """A release of the chart whose engines are Deployments, and at times a controller."""

    cluster: Objects
    kubelet: Kubelet
    settings: ServingSettings
    home: Path
    controllers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        given = self.settings.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        variables = {f"LECTERN_{name.upper()}": str(value) for name, value in given.items()}
        environment = {**os.environ, **variables, "LECTERN_ENGINE_API_KEY": KEY}
        with (self.home / "controller.log").open("ab") as log:
            command = [sys.executable, "-m", "services.serving"]
            self.controllers.append(subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log))

    def end(self, how: int = signal.SIGTERM) -> int:
        """The last controller that was started."""
        controller = self.controllers.pop()
        controller.send_signal(how)
        return controller.wait(60)

    def upgrade(self, image: str) -> None:
        """The template of another version: what the chart writes anew, and the controller reads when it starts."""
        told = json.loads(self.settings.engine_pod.read_text())
        for one in [*told["template"]["spec"]["initContainers"], *told["template"]["spec"]["containers"]]:
            one["image"] = image
        self.settings.engine_pod.write_text(json.dumps(told))

    def uninstall(self) -> None:
        """Helm deletes what it made, and the cluster what that owned."""
        self.end()
        self.cluster.drop("deployments", OWNER)

    def engines(self) -> list[Manifest]:
        return [one for name, one in self.cluster.kept["deployments"].items() if name != OWNER]

    def log(self) -> str:
        return (self.home / "controller.log").read_text(errors="replace")


@contextmanager
def release(
    shared: SharedSettings, home: Path, vllm: Path, values: Manifest | None = None, **more: object
) -> Iterator[Release]:  # fmt: skip
    """The store and the catalog are those of `shared`; no controller runs yet."""
    cluster = Objects()
    home.mkdir(parents=True, exist_ok=True)
    with api_server(cluster) as url:
        settings = _settings(shared, home, url, _pod(home, values or {"engine": {"device": "gpu"}}, cluster), more)
        image: Mapping[str, str] = {"LECTERN_HOME": "/var/lib/lectern", "LECTERN_VLLM_COMMAND": str(vllm)}
        over = {"LECTERN_STORE_URL": shared.store_url}
        with Kubelet(cluster, home / "pods", SECRETS, image, over) as kubelet:
            running = Release(cluster, kubelet, settings, home)
            try:
                yield running
            finally:
                while running.controllers:
                    running.end()


def _settings(
    shared: SharedSettings, home: Path, url: str, pod: Path, more: Mapping[str, object]
) -> ServingSettings:  # fmt: skip
    account = home / "account"
    account.mkdir()
    (account / "token").write_text("first")
    (account / "namespace").write_text(NAMESPACE)
    return ServingSettings.model_validate({
        **shared.model_dump(), "engines_on": "kubernetes", "kubernetes_url": url, "kubernetes_account_dir": account,
        "engine_pod": pod, "engine_api_key": KEY, "home": home / "state", "cache_dir": home / "cache", "engine_device": "gpu",
        "reconcile_seconds": 0.1, "retry_base_seconds": 0.1, "probe_timeout_seconds": 5, **more,
    })  # fmt: skip


def _pod(home: Path, serving: Manifest, cluster: Objects) -> Path:
    """The template that the chart writes, as a file; the Deployment that owns engines stands in the cluster already."""
    values = {**TRIAL, **ENGINE_PODS, "serving": {**ENGINE_PODS["serving"], **serving}}
    manifests = render(values)
    (template,) = [one["data"]["pod.json"] for one in manifests if "pod.json" in one.get("data", {})]
    (owner,) = [one for one in manifests if one["kind"] == "Deployment" and one["metadata"]["name"] == OWNER]
    cluster.add("deployments", owner)
    path = home / "pod.json"
    path.write_text(template)
    return path

"""RayJobs without a cluster: their schema, to which the API server holds them, and an operator that runs what they start."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

from tests.kubernetes import KUBERNETES, Manifest, Objects

_SCHEMA = json.loads((Path(__file__).parent / "schemas" / "rayjob.json").read_text())


def _closed(node: Any) -> Any:
    """As the API server with strict field validation: an object has the fields that its schema names, and no more."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(one) for name, one in node.items()}
    if "properties" in closed and isinstance(closed["properties"], dict) and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _validator() -> Draft202012Validator:
    schema = _closed(_SCHEMA)
    schema["properties"]["metadata"] = {"type": "object"}  # every kind's own, and Kubernetes' business
    return Draft202012Validator(schema)


_VALIDATOR = _validator()


def faults_of(rayjob: Manifest) -> list[str]:
    """Why Kubernetes would refuse a RayJob: by KubeRay's schema, and of its pods by Kubernetes' own."""
    found = [f"{one.json_path}: {one.message}" for one in _VALIDATOR.iter_errors(rayjob)]
    cluster = rayjob.get("spec", {}).get("rayClusterSpec", {})
    groups = [cluster.get("headGroupSpec", {}), *cluster.get("workerGroupSpecs", [])]
    for group in groups:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod"},
            "spec": group.get("template", {}).get("spec", {}),
        }
        try:
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"template: {error}")
    return found


class Cluster(Objects):
    """An API server's objects, of which RayJobs alone are looked at here."""

    @property
    def rayjobs(self) -> dict[str, Manifest]:
        return self.kept["rayjobs"]

    def faults_of(self, plural: str, manifest: Manifest) -> list[str]:
        return faults_of(manifest)

    def create(self, rayjob: Manifest) -> None:
        self.add("rayjobs", rayjob)

    def tell(self, name: str, deployment: str, job: str = "", **more: str) -> None:
        """What the operator writes into the status."""
        rayjob = self.rayjobs[name]
        rayjob["status"] = {"jobDeploymentStatus": deployment, "jobStatus": job, **more}
        self.put("MODIFIED", rayjob)

    def leave(self, name: str) -> None:
        self.leave_object("rayjobs", name)

    def remove(self, name: str) -> None:
        self.drop("rayjobs", name)


class Operator:
    """In KubeRay's place: starts the entrypoint of each RayJob as a process of this machine, with the environment of the
    head's container; tells its end in the status; ends it, and lets the RayJob go, when that is deleted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._reconcile, daemon=True)

    def __enter__(self) -> "Operator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for name in list(self.processes):
            self._end(name)

    def _reconcile(self) -> None:
        while not self._stop.wait(0.05):
            for name, rayjob in list(self.cluster.rayjobs.items()):
                if "deletionTimestamp" in rayjob["metadata"]:
                    self._end(name)
                    self.cluster.remove(name)
                elif name not in self.processes:
                    self.cluster.tell(name, "Initializing")
                    self.processes[name] = self._start(rayjob["spec"])
                    self.cluster.tell(name, "Running", "RUNNING")
                elif rayjob["status"]["jobDeploymentStatus"] == "Running":
                    self._look(name, self.processes[name].poll())

    def _look(self, name: str, status: int | None) -> None:
        if status == 0:
            self.cluster.tell(name, "Complete", "SUCCEEDED")
        elif status is not None:
            self.cluster.tell(name, "Failed", "FAILED", reason="AppFailed", message=f"exit status {status}")

    def _start(self, spec: Manifest) -> subprocess.Popen[bytes]:
        (container,) = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
        given = {one["name"]: one["value"] for one in container["env"]}
        python, *arguments = shlex.split(spec["entrypoint"])
        assert python == "python"
        return subprocess.Popen([sys.executable, *arguments], env={**os.environ, **given}, start_new_session=True)

    def _end(self, name: str) -> None:
        if (process := self.processes.pop(name, None)) is not None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

"""In the places of Kubernetes' controllers and of its kubelet: makes the pods of Deployments, and runs what they say as
processes of this machine, each pod on a loopback address of its own. Volumes are directories, and probes are asked.

Not played: scheduling, images, users, limits, network policies.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.kubernetes import SEAT, Manifest, Objects

ROOT = Path(__file__).parents[1]
_MESSAGE_BYTES = 2048
_BACK_OFF_SECONDS = 0.3
_DEAF_AFTER = 5


@dataclass
class Container:
    """One container over its starts."""

    spec: Manifest
    ends_in_peace: bool = False
    """Whether it is to: any other is started again."""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    ended: Manifest | None = None
    again_at: float = 0.0
    ready: bool = False
    unheard: int = 0

    def status(self) -> Manifest:
        name, restarts = self.spec["name"], max(0, self.starts - 1)
        told: Manifest = {"name": name, "ready": self.ready, "restartCount": restarts, "state": {"waiting": {}}}
        if self.process is not None:
            told["state"] = {"running": {}}
        elif self.ended is not None and self.ended["exitCode"] == 0 and self.ends_in_peace:
            told["state"] = {"terminated": self.ended}
        elif self.ended is not None:
            told["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        if self.ended is not None:
            told["lastState"] = {"terminated": self.ended}
        return told


@dataclass
class Pod:
    manifest: Manifest
    directory: Path
    address: str
    first: list[Container]
    containers: list[Container]
    template: Manifest

    def container(self, name: str) -> Container:
        return next(one for one in [*self.first, *self.containers] if one.spec["name"] == name)


@dataclass
class Kubelet:
    """`secrets` are the keys of the release's secret; `image` is the environment that images have, `over` what stands in
    place of what the pods say."""

    cluster: Objects
    directory: Path
    secrets: Mapping[str, str]
    image: Mapping[str, str]
    over: Mapping[str, str] = field(default_factory=dict)
    unschedulable: str | None = None
    no_image: str | None = None
    pods: dict[str, Pod] = field(default_factory=dict)
    """By the uid of their Deployment."""
    made: int = 0

    def __enter__(self) -> "Kubelet":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for uid in list(self.pods):
            self._end(uid)

    def pod(self) -> Pod:
        """The only one."""
        (found,) = self.pods.values()
        return found

    def log(self, pod: Pod, name: str) -> str:
        files = sorted(pod.directory.glob(f"{name}.*.log"), key=lambda path: path.stat().st_mtime)
        return "".join(path.read_text(errors="replace") for path in files)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self._collect_garbage()
            for deployment in list(self.cluster.kept["deployments"].values()):
                if SEAT in deployment["metadata"].get("labels", {}):
                    self._reconcile(deployment)
            for pod in list(self.pods.values()):
                self._look(pod)

    def _collect_garbage(self) -> None:
        """What is owned goes with its owner."""
        there = {one["metadata"]["uid"] for kept in self.cluster.kept.values() for one in list(kept.values())}
        for plural in ("deployments", "services"):
            for name, one in list(self.cluster.kept[plural].items()):
                owners = one["metadata"].get("ownerReferences", [])
                if owners and not any(owner["uid"] in there for owner in owners):
                    (self.cluster.leave_object if plural == "deployments" else self.cluster.drop)(plural, name)

    def _reconcile(self, deployment: Manifest) -> None:
        uid, template = deployment["metadata"]["uid"], deployment["spec"]["template"]
        if "deletionTimestamp" in deployment["metadata"]:
            self._end(uid)
            self.cluster.drop("deployments", deployment["metadata"]["name"])
        elif uid not in self.pods:
            self._make(uid, template, deployment["metadata"]["name"])
        elif self.pods[uid].template != template:
            self._end(uid)

    def _make(self, uid: str, template: Manifest, name: str) -> None:
        self.made += 1
        metadata = {**json.loads(json.dumps(template["metadata"])), "name": f"{name}-{self.made}"}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        assert self.cluster.faults_of("pods", manifest) == []
        spec = template["spec"]
        directory = self.directory / metadata["name"]
        directory.mkdir(parents=True)
        pod = Pod(
            self.cluster.add("pods", manifest), directory, self.cluster.address(metadata["labels"][SEAT]),
            [Container(one, True) for one in spec["initContainers"]], [Container(one) for one in spec["containers"]],
            json.loads(json.dumps(template)),
        )  # fmt: skip
        self.pods[uid] = pod
        self._tell(pod)

    def _end(self, uid: str) -> None:
        pod = self.pods.pop(uid, None)
        if pod is None:
            return
        for one in [*pod.first, *pod.containers]:
            if one.process is not None:
                one.process.terminate()
        for one in [*pod.first, *pod.containers]:
            if one.process is not None:
                with suppress(subprocess.TimeoutExpired):
                    one.process.wait(20)
                _kill(one.process)
        self.cluster.drop("pods", pod.manifest["metadata"]["name"])

    def _look(self, pod: Pod) -> None:
        if not self._holds_back(pod):
            for one in [*pod.first, *pod.containers]:
                self._watch(pod, one)
            waits = next((one for one in pod.first if one.ended is None or one.ended["exitCode"] != 0), None)
            for one in [waits] if waits is not None else pod.containers:
                self._start_when_due(pod, one)
        self._tell(pod)

    def _holds_back(self, pod: Pod) -> bool:
        """Whether a pod does not begin. One that runs is not touched by that."""
        return (self.unschedulable or self.no_image) is not None and not any(one.starts for one in pod.first)

    def _watch(self, pod: Pod, one: Container) -> None:
        if one.process is None:
            return
        if one.process.poll() is not None:
            _kill(one.process)
            written = (pod.directory / f"{one.spec['name']}.{one.starts}.log").read_bytes()
            message = written[-_MESSAGE_BYTES:].decode(errors="replace")
            one.ended = {"exitCode": one.process.returncode, "message": message}
            one.process, one.ready, one.again_at = None, False, time.monotonic() + _BACK_OFF_SECONDS
            return
        heard = self._hears(pod, one)
        one.unheard = 0 if heard or not one.ready else one.unheard + 1
        one.ready = heard or (one.ready and one.unheard < _DEAF_AFTER)
        if one.unheard >= _DEAF_AFTER:
            _kill(one.process)

    def _start_when_due(self, pod: Pod, one: Container) -> None:
        if one.process is None and time.monotonic() >= one.again_at:
            one.starts += 1
            one.unheard = 0
            environment = self._environment(pod, one.spec)
            arguments = [_expanded(argument, environment) for argument in one.spec["args"]]
            with (pod.directory / f"{one.spec['name']}.{one.starts}.log").open("wb") as log:
                one.process = subprocess.Popen(
                    [sys.executable, "-m", *arguments], env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip

    def _environment(self, pod: Pod, spec: Manifest) -> dict[str, str]:
        """A container's own, and nothing of this process but where Python finds what it needs."""
        given = {"PATH": os.environ["PATH"], "HOME": str(pod.directory), **self.image}
        for one in spec["env"]:
            value = self._value(pod, one)
            if value is not None:
                given[one["name"]] = value
        given |= {name: value for name, value in self.over.items() if name in given}
        mounts = {one["mountPath"]: pod.directory / one["name"] for one in spec["volumeMounts"]}
        for directory in mounts.values():
            directory.mkdir(exist_ok=True)
        del mounts["/tmp"]  # this machine's own lies there too
        return {name: _mapped(value, mounts) for name, value in given.items()}

    def _value(self, pod: Pod, variable: Manifest) -> str | None:
        if "value" in variable:
            return str(variable["value"])
        source = variable["valueFrom"]
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "status.podIP"
            return pod.address
        key = source["secretKeyRef"]
        found = self.secrets.get(key["key"])
        assert found is not None or key.get("optional"), f"the secret has no {key['key']}"
        return found

    def _hears(self, pod: Pod, one: Container) -> bool:
        probe = one.spec.get("readinessProbe")
        if probe is None:
            return True
        port = next(port["containerPort"] for port in one.spec["ports"] if port["name"] == probe["httpGet"]["port"])
        try:
            url = f"http://{pod.address}:{port}{probe['httpGet']['path']}"
            return httpx.get(url, timeout=2, trust_env=False).status_code < 400
        except httpx.HTTPError:
            return False

    def _tell(self, pod: Pod) -> None:
        status: Manifest = {"podIP": pod.address, "phase": "Pending", "conditions": []}
        if self._holds_back(pod) and self.unschedulable is not None:
            status["conditions"] = [_condition("PodScheduled", "False", "Unschedulable", self.unschedulable)]
        elif self._holds_back(pod):
            waiting = {"waiting": {"reason": "ImagePullBackOff", "message": self.no_image}}
            status["initContainerStatuses"] = [
                {**one.status(), "state": waiting, "restartCount": 0} for one in pod.first
            ]  # fmt: skip
        else:
            ready = all(one.ready for one in pod.containers)
            status["conditions"] = [_condition("PodScheduled", "True"), _condition("Ready", str(ready))]
            status["initContainerStatuses"] = [one.status() for one in pod.first]
            status["containerStatuses"] = [one.status() for one in pod.containers]
        pod.manifest["status"] = status


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> Manifest:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _mapped(value: str, mounts: Mapping[str, Path]) -> str:
    for path, directory in mounts.items():
        if value == path or value.startswith(f"{path}/"):
            return str(directory) + value.removeprefix(path)
    return value


def _expanded(argument: str, environment: Mapping[str, str]) -> str:
    """As Kubernetes does: `$(NAME)`."""
    for name, value in environment.items():
        argument = argument.replace(f"$({name})", value)
    return argument


def _kill(process: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

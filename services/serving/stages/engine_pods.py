"""An engine as objects of Kubernetes, and what its pods tell of it: manifests in and out; no cluster is asked.

A seat is a Deployment of one pod and a Service. All that a controller must know of it stands on the Deployment, so one that was
killed, and one after it, finds the engines that run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.serving.stages.identity import Seat
from services.serving.stages.plan import EngineSpec, Problem
from shared.contracts.base import Contract
from shared.keys import digest

Manifest = dict[str, Any]

COMPONENT = "app.kubernetes.io/component"
SEAT, ENGINE = "lectern.dev/seat", "lectern.dev/engine"
"""Labels: digests of the seat, and of what its replicas have in common."""
ASKED, TEMPLATE = "lectern.dev/asked", "lectern.dev/template"
"""Annotations: what the engine was started for, and the digest of the template that its pod was made of."""
PROVES = "lectern.dev/proves"
"""Annotation of an engine that was ready before its pod was made anew: that it is ready again proves the new template."""
NAMED = 12
"""Digits of a digest in names and labels."""

GIVES_UP_AFTER = 3
"""Restarts after which users are told that it failed; the kubelet tries on, ever more rarely."""
_NO_IMAGE = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
_PROBE_SECONDS = 5
BRINGING = "its pod fetches the weights"


@dataclass(frozen=True, slots=True)
class EnginePods:
    """What the chart says of engines: what their objects are called, the Deployment that they go with, and their pod, in which
    `weights` fetches, `engine` serves and `adapters` fetches on."""

    name: str
    owner: str | None
    template: Manifest

    @property
    def labels(self) -> dict[str, str]:
        """What each of their objects is marked with."""
        return dict(self.template["metadata"]["labels"])

    @property
    def selector(self) -> dict[str, str]:
        """What all engines of the release have and nothing else has, whatever its version."""
        return {name: self.labels[name] for name in ("app.kubernetes.io/name", "app.kubernetes.io/instance", COMPONENT)}

    @property
    def digest(self) -> str:
        return digest(self.template)[:NAMED]


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: how long an engine may take to answer, and how long one question may. So many unanswered ones end it."""

    start: float
    probe: float
    failures: int


class Asked(Contract):
    """What an engine was started for, and where."""

    seat: Seat
    context_tokens: int
    lora_rank: int

    @property
    def spec(self) -> EngineSpec:
        return EngineSpec(self.seat.engine, self.context_tokens, self.lora_rank)

    @classmethod
    def of(cls, seat: Seat, spec: EngineSpec) -> "Asked":
        return cls(seat=seat, context_tokens=spec.context_tokens, lora_rank=spec.lora_rank)


def object_name(pods: EnginePods, seat: Seat) -> str:
    """Of the Deployment and of the Service: no base's name is one of Kubernetes', so it is a digest."""
    return f"{pods.name}-{digest(seat)[:NAMED]}"


def engine_deployment(
    asked: Asked, pods: EnginePods, patience: Patience, owner_uid: str | None = None, proves: bool = False
) -> Manifest:
    """The Deployment of a seat. It goes with its owner, where it has one: nothing of a release that was uninstalled is left."""
    name = object_name(pods, asked.seat)
    metadata: Manifest = {"name": name, "labels": _labels(asked, pods), "annotations": _annotations(asked, pods)}
    if proves:
        metadata["annotations"][PROVES] = pods.digest
    if pods.owner is not None and owner_uid is not None:
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": pods.owner, "uid": owner_uid}
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            # The old pod's memory, or GPU, is what the new one needs.
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": pod_selector(asked.seat, pods)},
            "template": {
                "metadata": {"labels": _labels(asked, pods), "annotations": _annotations(asked, pods)},
                "spec": _pod(asked, pods, patience),
            },
        },
    }


def engine_service(asked: Asked, pods: EnginePods, deployment_uid: str) -> Manifest:
    """The address of a seat, which stays while its pod comes and goes. It goes with the Deployment."""
    name = object_name(pods, asked.seat)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": deployment_uid}
    ports = [port for container in _containers(asked, pods) for port in container["ports"]]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": _labels(asked, pods), "ownerReferences": [owner]},
        "spec": {
            # The controller looks whether the engine answers; what fetches adapters beside it does not decide that.
            "publishNotReadyAddresses": True,
            "selector": pod_selector(asked.seat, pods),
            "ports": [{"name": one["name"], "port": one["containerPort"], "targetPort": one["name"]} for one in ports],
        },
    }


def asked_of(deployment: Manifest) -> Asked | None:
    """None where another version of serving wrote it, which this one does not understand."""
    try:
        return Asked.model_validate_json(deployment["metadata"]["annotations"][ASKED])
    except (KeyError, ValueError):
        return None


def is_leaving(manifest: Manifest) -> bool:
    """Whether it was deleted, and is only waited for until its pods are gone."""
    return "deletionTimestamp" in manifest["metadata"]


def is_pod_of(pod: Manifest, deployment: Manifest) -> bool:
    """Whether a pod is one of the Deployment as it now is: those that it had before a change run on for a while."""
    own, wanted = pod["metadata"], deployment["metadata"]
    same = all(own.get("annotations", {}).get(name) == wanted["annotations"].get(name) for name in (ASKED, TEMPLATE))
    return same and own.get("labels", {}).get(SEAT) == wanted["labels"][SEAT]


def is_outdated(deployment: Manifest, pods: EnginePods) -> bool:
    """Whether its pod was made of another template: the release was upgraded since."""
    return str(deployment["metadata"].get("annotations", {}).get(TEMPLATE)) != pods.digest


def is_misnamed(seat: Seat, deployment: Manifest, pods: EnginePods) -> bool:
    """Whether this version calls the seat otherwise: names cover all that can be asked of an engine, which may be more now."""
    return str(deployment["metadata"]["name"]) != object_name(pods, seat)


def is_proof(deployment: Manifest, pods: EnginePods) -> bool:
    """Whether it shows by being ready that the template is good."""
    return str(deployment["metadata"].get("annotations", {}).get(PROVES)) == pods.digest


def _annotations(asked: Asked, pods: EnginePods) -> dict[str, str]:
    return {ASKED: asked.model_dump_json(), TEMPLATE: pods.digest}


def pod_selector(seat: Seat, pods: EnginePods) -> dict[str, str]:
    """What the pods of a seat have, and no others."""
    return {**pods.selector, SEAT: digest(seat)[:NAMED]}


def _labels(asked: Asked, pods: EnginePods) -> dict[str, str]:
    return {**pods.labels, SEAT: digest(asked.seat)[:NAMED], ENGINE: digest(asked.seat.engine)[:NAMED]}


def _containers(asked: Asked, pods: EnginePods) -> list[Manifest]:
    """An engine that takes no adapters needs nobody who fetches them, nor the store's credentials in its pod."""
    found: list[Manifest] = pods.template["spec"]["containers"]
    return found if asked.lora_rank else [one for one in found if one["name"] != "adapters"]


def _pod(asked: Asked, pods: EnginePods, patience: Patience) -> Manifest:
    spec: Manifest = pods.template["spec"]
    told = ["--asked", asked.model_dump_json()]
    probes = {"engine": _engine_probes(patience), "adapters": _fetcher_probes()}
    containers = [{**one, "args": [*one["args"], *told], **probes[one["name"]]} for one in _containers(asked, pods)]
    return {
        **spec,
        "initContainers": [{**one, "args": [*one["args"], *told]} for one in spec["initContainers"]],
        "containers": [{**one, "terminationMessagePolicy": "FallbackToLogsOnError"} for one in containers],
        # Replicas of one engine on different nodes, where there are any.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {ENGINE: digest(asked.seat.engine)[:NAMED]}},
            }
        ],
    }


def _engine_probes(patience: Patience) -> Manifest:
    """Kubernetes starts again what does not come up in time or falls silent."""
    asked = {
        "httpGet": {"path": "/health", "port": "engine"},
        "periodSeconds": _PROBE_SECONDS,
        "timeoutSeconds": max(1, round(patience.probe)),
    }
    return {
        "startupProbe": {**asked, "failureThreshold": max(1, round(patience.start / _PROBE_SECONDS))},
        "livenessProbe": {**asked, "failureThreshold": patience.failures},
        "readinessProbe": {**asked, "failureThreshold": patience.failures},
    }


def _fetcher_probes() -> Manifest:
    asked = {"httpGet": {"path": "/healthz", "port": "adapters"}, "periodSeconds": 10, "timeoutSeconds": 5}
    return {"livenessProbe": {**asked, "failureThreshold": 6}, "readinessProbe": asked}


@dataclass(frozen=True, slots=True)
class PodState:
    """What Kubernetes tells of a seat's pod. `life` is another for each start of the engine's container; `detail` is what it
    waits for; `problem` is set where waiting will not mend it soon. Of an engine that runs, it is that of what fetches its
    adapters. So many times its container was started again (`restarts`), and so many pods before it were ended (`ended`)."""

    status: Literal["waiting", "running", "failing"]
    life: str = ""
    restarts: int = 0
    ended: int = 0
    detail: str | None = None
    problem: Problem | None = None
    is_cut_off: bool = False
    """Whether Kubernetes hears nothing from its node."""


def state_of(deployment: Manifest, pods: Sequence[Manifest], forgiven: int = 0, forgiven_pods: int = 0) -> PodState:
    """Of the newest pod that is not on its way out. So many restarts, and pods that were ended, are `forgiven`: it was ready
    after them."""
    staying = sorted((pod for pod in pods if not is_leaving(pod)), key=_made_at)
    ended = [pod for pod in staying if pod.get("status", {}).get("phase") == "Failed"]
    if not staying:
        return _without_pod(deployment)
    pod = staying[-1]
    status = pod.get("status", {})
    if _is_running(status, "engine"):
        return _running(pod, forgiven, len(ended))
    troubles = (_trouble(container, forgiven) for container in _statuses(status))
    trouble = next((state for state in troubles if state is not None), None)
    if trouble is not None and trouble.problem is not None:
        return trouble
    if len(ended) > forgiven_pods:
        return _ended(ended[-1], status, len(ended) - forgiven_pods)
    return trouble or PodState("waiting", detail=_unscheduled(status) or _doing(status))


def _made_at(pod: Manifest) -> str:
    return str(pod["metadata"].get("creationTimestamp", ""))


def _is_running(status: Mapping[str, Any], name: str) -> bool:
    return any(one["name"] == name and "running" in one.get("state", {}) for one in status.get("containerStatuses", []))


def _running(pod: Manifest, forgiven: int, ended: int) -> PodState:
    """The engine decides: while it runs, what fetches adapters beside it takes nothing of what is served away."""
    status = pod["status"]
    by_name = {one["name"]: one for one in status["containerStatuses"]}
    engine = by_name.pop("engine")
    if (state := _trouble(engine, forgiven)) is not None:
        return state
    restarts = int(engine.get("restartCount", 0))
    beside = next((state for one in by_name.values() if (state := _trouble(one, 0)) is not None), None)
    return PodState(
        "running", f"{pod['metadata']['uid']}/{restarts}", restarts, ended, beside.detail if beside else None,
        beside.problem if beside else None, _is_cut_off(status),
    )  # fmt: skip


def _is_cut_off(status: Mapping[str, Any]) -> bool:
    """The kubelet tells both conditions alike. Where its node is lost, the cluster sets the pod's alone."""
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    return conditions.get("Ready") == "False" and conditions.get("ContainersReady") == "True"


def _ended(pod: Manifest, newest: Mapping[str, Any], times: int) -> PodState:
    """A pod that was ended whole, such as one that filled its disk, is followed by another, which may fare no better."""
    why = str(pod["status"].get("message") or pod["status"].get("reason") or "no reason given")
    if times >= GIVES_UP_AFTER:
        told = f"Kubernetes ended {times} of its pods, the last since: {why}"
        return PodState("failing", problem=Problem("engine-failed", told))
    doing = _unscheduled(newest) or _doing(newest)
    return PodState("waiting", detail=f"Kubernetes ended its pod ({why}){f'; {doing}' if doing else ''}")


def _without_pod(deployment: Manifest) -> PodState:
    """A quota, or a rule of the cluster, may refuse the pod."""
    conditions = deployment.get("status", {}).get("conditions", [])
    refused = next((one for one in conditions if one["type"] == "ReplicaFailure" and one["status"] == "True"), None)
    if refused is None:
        return PodState("waiting")
    return PodState("failing", problem=Problem("kubernetes-refused", f"Kubernetes makes no pod: {refused.get('message', '')}"))


def _unscheduled(status: Mapping[str, Any]) -> str | None:
    for one in status.get("conditions", []):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return str(one.get("message") or one.get("reason") or "no node takes its pod")
    return None


def _statuses(status: Mapping[str, Any]) -> Iterator[Manifest]:
    yield from status.get("initContainerStatuses", [])
    yield from status.get("containerStatuses", [])


def _doing(status: Mapping[str, Any]) -> str | None:
    running = [one for one in status.get("initContainerStatuses", []) if "running" in one.get("state", {})]
    if running:
        return BRINGING
    reasons = [one.get("state", {}).get("waiting", {}) for one in _statuses(status)]
    return next((f"{one['reason']}: {one['message']}" for one in reasons if one.get("message")), None)


def _trouble(container: Manifest, forgiven: int) -> PodState | None:
    """A container that ended, or cannot begin. One that was started again is in trouble until it is ready, where it is not
    likely to be. To end in peace is what is asked of `weights` alone."""
    state, name = container.get("state", {}), container["name"]
    waiting = state.get("waiting", {})
    if waiting.get("reason") in _NO_IMAGE:
        told = f"the container {name} cannot start ({waiting['reason']}: {waiting.get('message', 'no reason given')})"
        return PodState("failing", problem=Problem("engine-failed", told))
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    if ended is None or container.get("ready") or (name == "weights" and ended.get("exitCode") == 0):
        return None
    problem, hopeless = _last_words(name, ended)
    told_now = hopeless or container.get("restartCount", 0) - forgiven >= GIVES_UP_AFTER
    if "running" in state and not told_now:
        return None
    return PodState("failing", detail=problem.detail, problem=problem if told_now else None)


def _last_words(name: str, ended: Mapping[str, Any]) -> tuple[Problem, bool]:
    """Why a container ended, and whether trying again cannot help: the last line of what it wrote, where that is ours."""
    where = f"see `kubectl logs --previous` of its container {name}"
    stopped = "the engine stopped" if name == "engine" else f"the engine's container {name} stopped"
    if ended.get("reason") == "OOMKilled":
        value = "serving.resources" if name == "engine" else "serving.fetcher.resources"
        return Problem("engine-failed", f"{stopped} (it took more memory than its limit: give it more, {value})"), False
    if ended.get("exitCode") == 0:  # It is told to end by the kubelet alone.
        return Problem("engine-failed", f"{stopped} (Kubernetes ended it, since it did not answer in time): {where}"), False
    lines = str(ended.get("message", "")).strip().splitlines()
    try:
        told = json.loads(lines[-1])
        code, detail, again = str(told["code"]), str(told["detail"]), bool(told["retryable"])
    except (IndexError, ValueError, KeyError, TypeError):
        told_last = lines[-1][:300] if lines else f"exit status {ended.get('exitCode', 'unknown')}"
        return Problem("engine-failed", f"{stopped} ({told_last}): {where}"), False
    if code == "engine-failed":
        return Problem(code, f"{stopped} ({detail}): {where}"), False
    return Problem(code, detail), not again

"""A run as a RayJob of KubeRay, and what a RayJob's status says of the run: manifests in and out; no cluster is asked."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.ids import short

GROUP, VERSION, PLURAL = "ray.io", "v1", "rayjobs"
RUN_ANNOTATION = "lectern.dev/run"

State = Literal["pending", "running", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Pods:
    """Templates of the pods that Ray runs in, as Kubernetes writes them: the head, which only drives, and those that train."""

    head: dict[str, Any]
    worker: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a RayJob may take in all, and until its pods run; and how often KubeRay makes a new cluster for it."""

    seconds: int
    start_seconds: int
    retries: int


@dataclass(frozen=True, slots=True)
class Status:
    """Where a RayJob stands; `detail` is KubeRay's own reason and message, empty where it gave none."""

    state: State
    detail: str


def rayjob_name(run: str) -> str:
    """The same for every attempt at a run, so that a later one finds what an earlier one left running."""
    return f"lectern-{short(run)}"


def rayjob_manifest(run: str, entrypoint: str, workers: int, pods: Pods, limits: Limits, ray_version: str) -> dict[str, Any]:
    """The RayJob of a run. The operator itself submits (no pod of ours needs the right to), the cluster goes as soon as the
    job is over, and whoever speaks to its Ray needs the token that KubeRay makes for it."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "RayJob",
        "metadata": {
            "name": rayjob_name(run),
            "labels": {"app.kubernetes.io/managed-by": "lectern", "app.kubernetes.io/component": "ray"},
            "annotations": {RUN_ANNOTATION: run},
        },
        "spec": {
            "entrypoint": entrypoint,
            "submissionMode": "HTTPMode",
            "shutdownAfterJobFinishes": True,
            "backoffLimit": limits.retries,
            "activeDeadlineSeconds": limits.seconds,
            "preRunningDeadlineSeconds": limits.start_seconds,
            "rayClusterSpec": {
                "rayVersion": ray_version,
                "authOptions": {"mode": "token"},
                "headGroupSpec": {
                    "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104 - the operator asks it
                    "template": pods.head,
                },
                "workerGroupSpecs": [_trainers(workers, pods.worker)],
            },
        },
    }


def _trainers(workers: int, template: dict[str, Any]) -> dict[str, Any]:
    """A pod for each worker. One CPU in Ray's books is one worker; how many threads it has, the pod's settings say."""
    return {
        "groupName": "trainers",
        "replicas": workers,
        "minReplicas": workers,
        "maxReplicas": workers,
        "rayStartParams": {"num-cpus": "1"},
        "template": template,
    }


def status_of(rayjob: dict[str, Any]) -> Status:
    """KubeRay tells of the cluster (jobDeploymentStatus) and of the job in it (jobStatus). A job that was stopped from
    outside, or whose specification was refused, is a failed one."""
    status = rayjob.get("status") or {}
    deployment, job = status.get("jobDeploymentStatus", ""), status.get("jobStatus", "")
    detail = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
    if deployment == "Complete":
        return Status("succeeded" if job == "SUCCEEDED" else "failed", detail or f"the job ended as {job or 'unknown'}")
    if deployment in {"Failed", "ValidationFailed"}:
        return Status("failed", detail or f"the job ended as {job or deployment}")
    return Status("running" if deployment == "Running" else "pending", detail)


def is_leaving(rayjob: dict[str, Any]) -> bool:
    """Whether it was deleted, and is only waited for until its pods are gone."""
    return "deletionTimestamp" in rayjob["metadata"]

"""A RayJob from its manifest to its end, against an API server over HTTP that holds to KubeRay's schema."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.training import in_cluster
from services.training.adapters.handover import ClusterJob, Handover, Rows, StoredPoints
from services.training.adapters.jobs import Continuing, RowTable
from services.training.adapters.rayjobs import OUTSIDE, RAYJOBS, RayJobFailed, RayJobs, read_pods
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded
from services.training.stages.packing import Row
from services.training.stages.rayjob import Limits, Pods, rayjob_manifest, rayjob_name, status_of
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.kubernetes import KubernetesApi, KubernetesRefused
from shared.objects import ObjectStore
from tests.kubernetes import api_server
from tests.rayjobs import Cluster, faults_of
from tests.servers import wait_until

RUN = "ab" * 32
NAME = rayjob_name(RUN)
JOB = ClusterJob(run=RUN, base_name="tiny", recipe=TrainingRecipe(workers=2), packing="batch")
ROWS = Rows(
    RowTable.of([Row((1, 2, 3, 4, 5), (-100, 2, 3, -100, 5), (3, 2)), Row((6, 7), (-100, 7), (2,))]),
    (Encoded((1, 2), (-100, 2)), Encoded((3, 4, 5), (-100, 4, 5))),
    b"weights",
    Continuing((Encoded((9,), (9,)),), {"new": (Encoded((8, 7), (-100, 7)),), "old": ()}, "new"),
    b"judge",
)


def pod(**environment: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    return {"spec": {"containers": [{"name": "ray", "image": "lectern/training:1", "env": variables}]}}


def manifest(**changes: Any) -> dict[str, Any]:
    made = rayjob_manifest(RUN, "python -m x", 3, Pods(pod(), pod()), Limits(7200, 600, 2), "2.60.0")
    return {**made, "spec": {**made["spec"], **changes}}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def api(cluster: Cluster, tmp_path: Path) -> Iterator[KubernetesApi]:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("first\n")
    (account / "namespace").write_text("lectern")
    with api_server(cluster) as url:
        yield KubernetesApi(url, account, patience_seconds=2, outside=OUTSIDE, watch_seconds=2)


@pytest.fixture
def rayjobs(api: KubernetesApi, store: ObjectStore, tmp_path: Path) -> RayJobs:
    pods = tmp_path / "pods.json"
    pods.write_text(json.dumps({"head": pod(), "worker": pod()}))
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", rayjob_pods=pods, kubernetes_patience_seconds=5)
    return RayJobs(api, store, settings)


class Operator(threading.Thread):
    """Does as a script says once the RayJob is there; lets it go as soon as it is deleted."""

    def __init__(self, cluster: Cluster, *states: tuple[str, str], watches: tuple[int, ...] = (0, 0, 0)) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.watches = watches  # so many must have been asked for before each state
        self.states = states
        self.start()

    def run(self) -> None:
        wait_until(lambda: NAME in self.cluster.rayjobs, "the RayJob")
        for (deployment, job), watches in zip(self.states, self.watches, strict=False):
            wait_until(lambda watches=watches: self.cluster.asked.count("watch") >= watches, "watches")
            self.cluster.tell(NAME, deployment, job, **({"reason": "AppFailed"} if deployment == "Failed" else {}))
        wait_until(lambda: "deletionTimestamp" in self.cluster.rayjobs[NAME]["metadata"], "the deletion")
        self.cluster.remove(NAME)


RUNNING, DONE = (("Initializing", ""), ("Running", "RUNNING")), (("Complete", "SUCCEEDED"),)


def test_the_manifest_is_one_that_kuberay_accepts_and_its_pods_are_those_of_kubernetes() -> None:
    assert faults_of(manifest()) == []
    (group,) = manifest()["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 3
    assert (manifest()["spec"]["activeDeadlineSeconds"], manifest()["spec"]["backoffLimit"]) == (7200, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"entryPoint": "python"},
        {"backoffLimit": "two"},
        {"preRunningDeadlineSeconds": 0},
        {"rayClusterSpec": {"workerGroupSpecs": []}},
        {"rayClusterSpec": {"headGroupSpec": {"rayStartParams": {}, "template": {"spec": {"containers": [{"nam": "x"}]}}}}},
    ],
    ids=str,
)
def test_a_planted_fault_is_seen(wrong: dict[str, Any]) -> None:
    assert faults_of(manifest(**wrong)) != []


@pytest.mark.parametrize(
    ("deployment", "job", "state"),
    [
        ("", "", "pending"),
        ("Initializing", "", "pending"),
        ("Waiting", "", "pending"),
        ("Retrying", "FAILED", "pending"),
        ("Running", "RUNNING", "running"),
        ("Complete", "SUCCEEDED", "succeeded"),
        ("Complete", "STOPPED", "failed"),
        ("Failed", "FAILED", "failed"),
        ("ValidationFailed", "", "failed"),
    ],
)
def test_what_kuberay_tells_is_understood(deployment: str, job: str, state: str) -> None:
    assert status_of({"status": {"jobDeploymentStatus": deployment, "jobStatus": job}}).state == state


def test_a_run_is_made_watched_and_its_resources_are_freed(rayjobs: RayJobs, cluster: Cluster, tmp_path: Path) -> None:
    Operator(cluster, *RUNNING, *DONE)
    assert rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl") is None
    assert cluster.rayjobs == {}
    spec = cluster.changes[0][2]["spec"]
    assert spec["entrypoint"] == f"python -m services.training.in_cluster {RUN}"
    assert spec["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] == 2


def test_a_job_that_failed_says_so_frees_its_resources_and_may_be_tried_again(
    rayjobs: RayJobs, cluster: Cluster, tmp_path: Path
) -> None:
    Operator(cluster, *RUNNING, ("Failed", "FAILED"))
    with pytest.raises(RayJobFailed, match="AppFailed") as failed:
        rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl")
    assert failed.value.retryable
    assert cluster.rayjobs == {}


def test_a_run_that_was_refused_in_the_cluster_is_refused(
    rayjobs: RayJobs, cluster: Cluster, store: ObjectStore, tmp_path: Path
) -> None:
    Operator(cluster, *RUNNING)
    refused = Rejected(reason="diverged", detail="It did.")

    def answer() -> None:
        wait_until(lambda: len(cluster.changes) >= 3, "the job to run")
        Handover(store, RUN).refuse(refused)
        cluster.tell(NAME, "Complete", "SUCCEEDED")

    threading.Thread(target=answer, daemon=True).start()
    assert rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl") == refused


def test_a_rayjob_that_a_killed_worker_left_at_work_is_taken_up(rayjobs: RayJobs, cluster: Cluster, tmp_path: Path) -> None:
    cluster.create(manifest())
    Operator(cluster, *RUNNING, *DONE)
    assert rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl") is None
    assert "create" not in cluster.asked


def test_a_rayjob_that_failed_before_is_made_anew(rayjobs: RayJobs, cluster: Cluster, tmp_path: Path) -> None:
    cluster.create(manifest())
    cluster.tell(NAME, "Failed", "FAILED")

    def again() -> None:
        Operator(cluster).join()
        Operator(cluster, *RUNNING, *DONE)

    threading.Thread(target=again, daemon=True).start()
    assert rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl") is None
    assert [kind for _, kind, _ in cluster.changes].count("ADDED") == 2


def test_a_rayjob_that_somebody_deletes_is_a_failed_one(rayjobs: RayJobs, cluster: Cluster, tmp_path: Path) -> None:
    Operator(cluster, *RUNNING)
    threading.Thread(
        target=lambda: (wait_until(lambda: len(cluster.changes) >= 3, "the job to run"), cluster.leave(NAME)), daemon=True
    ).start()
    with pytest.raises(RayJobFailed, match="somebody else"):
        rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl")


def test_a_watch_that_is_too_old_or_breaks_off_misses_nothing(rayjobs: RayJobs, cluster: Cluster, tmp_path: Path) -> None:
    cluster.compacted, cluster.broken_watches = 2, 2
    Operator(cluster, *RUNNING, *DONE, watches=(1, 3, 4))
    assert rayjobs.train(JOB, ROWS, tmp_path / "live-curve.jsonl") is None
    assert cluster.broken_watches == 0 and cluster.asked.count("watch") >= 4


def test_a_busy_server_is_asked_again_and_a_dead_one_given_up(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.faults.extend([503, 429])
    assert api.create(RAYJOBS, manifest())
    cluster.faults.extend([500] * 20)
    with pytest.raises(Unavailable, match="does not answer"):
        api.get(RAYJOBS, NAME)


@pytest.mark.parametrize("verb", ["create", "get", "delete"])
def test_a_right_that_lacks_is_named_at_once(api: KubernetesApi, cluster: Cluster, verb: str) -> None:
    cluster.rights["rayjobs"].remove(verb)
    ask = {
        "create": lambda: api.create(RAYJOBS, manifest()),
        "get": lambda: api.get(RAYJOBS, NAME),
        "delete": lambda: api.delete(RAYJOBS, NAME),
    }
    with pytest.raises(KubernetesRefused, match="give it the rights create, get, list, watch and delete"):
        ask[verb]()
    assert cluster.asked == [verb]


def test_a_manifest_that_the_server_will_not_have_is_told_with_its_fault(api: KubernetesApi) -> None:
    with pytest.raises(KubernetesRefused, match="entryPoint"):
        api.create(RAYJOBS, manifest(entryPoint="python"))


def test_a_token_that_the_kubelet_replaced_is_read_anew(api: KubernetesApi, cluster: Cluster) -> None:
    assert api.get(RAYJOBS, NAME) is None
    cluster.token = "second"
    with pytest.raises(KubernetesRefused, match="Unauthorized"):
        api.get(RAYJOBS, NAME)
    (api.account / "token").write_text("second")
    assert api.get(RAYJOBS, NAME) is None


def test_outside_a_pod_it_is_said_what_lacks(tmp_path: Path) -> None:
    with pytest.raises(KubernetesRefused, match="LECTERN_RAY_ADDRESS=local"):
        KubernetesApi("http://127.0.0.1:1", tmp_path, patience_seconds=1, outside=OUTSIDE).get(RAYJOBS, NAME)
    (tmp_path / "pods.json").write_text("{}")
    with pytest.raises(InvalidInput, match="LECTERN_RAYJOB_PODS"):
        read_pods(tmp_path / "pods.json")


def test_what_is_handed_over_arrives(any_store: ObjectStore, tmp_path: Path) -> None:
    handover = Handover(any_store, RUN)
    with pytest.raises(NotFound):
        handover.taken(tmp_path)
    handover.offer(JOB, ROWS, tmp_path)
    handover.offer(JOB, ROWS, tmp_path)
    job, rows = handover.taken(tmp_path)
    assert (job, rows.heldout, rows.begins_from, rows.continuing) == (JOB, ROWS.heldout, b"weights", ROWS.continuing)
    assert rows.judge == b"judge"
    for name in ("ids", "labels", "ends", "lengths", "counts"):
        assert np.array_equal(getattr(rows.table, name), getattr(ROWS.table, name))
    assert handover.refusal() is None and handover.sign() is None
    handover.give_sign(7, tmp_path)
    assert handover.sign() == 7
    assert all(path.startswith(f"checkpoints/{RUN}/") for path in any_store.list("checkpoints")), "it goes with them"


def test_a_job_that_nobody_watches_ends_itself() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import time; from services.training import in_cluster\n"
         "in_cluster._end_when_unwatched(lambda: 7, 0.2); time.sleep(60)"],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == in_cluster.UNWATCHED, ended.stderr


def test_nothing_held_out_is_handed_over_too(store: ObjectStore, tmp_path: Path) -> None:
    Handover(store, RUN).offer(JOB, Rows(ROWS.table, ()), tmp_path)
    _, rows = Handover(store, RUN).taken(tmp_path)
    assert (rows.heldout, rows.begins_from, rows.continuing, rows.judge) == ((), None, None, None)


def test_the_curve_is_seen_while_it_grows(rayjobs: RayJobs, store: ObjectStore, tmp_path: Path) -> None:
    handover, seen = Handover(store, RUN), tmp_path / "seen.jsonl"
    handover.fetch_curve(seen)
    assert not seen.exists()
    points = StoredPoints(rayjobs.settings, RUN, str(tmp_path / "told.jsonl"))
    points.append(LossPoint(step=1, epoch=0.1, loss=2.5, learning_rate=1e-3, tokens=10, seconds=1.0).model_dump(mode="json"))
    handover.fetch_curve(seen)
    assert json.loads(seen.read_text())["step"] == 1

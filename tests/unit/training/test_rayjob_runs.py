"""A run whose training is a RayJob: the real runner, driver and Ray; what stands in for KubeRay starts the real entrypoint."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from services.training.curves import read_curve
from services.training.settings import KUBERAY, TrainingSettings
from shared.catalog.sql import SqlCatalog
from shared.contracts.learning import TrainingResult
from shared.objects import ObjectStore
from shared.results import committed, output_path
from tests.kubernetes import api_server
from tests.rayjobs import Cluster, Operator
from tests.servers import Valkey, wait_until
from tests.unit.training.test_handlers import RECIPE, Watcher, World, figures, undisturbed
from tests.unit.training.world import publish_tiny


@pytest.fixture
def operator() -> Iterator[Operator]:
    with Operator(Cluster()) as operator:
        yield operator


@pytest.fixture
def world(store: ObjectStore, catalog: SqlCatalog, valkey: Valkey, operator: Operator, tmp_path: Path) -> Iterator[World]:
    redis = Redis(port=valkey.port)
    redis.flushall()
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("first")
    (account / "namespace").write_text("lectern")
    with api_server(operator.cluster) as url:
        settings = TrainingSettings(
            store_url=f"file://{tmp_path}/store", catalog_url=f"sqlite:///{tmp_path}/catalog.db", queue_url=valkey.url,
            cache_dir=tmp_path / "cache", cpu_threads=1, poll_seconds=0.1, ray_address=KUBERAY, kubernetes_url=url,
            kubernetes_account_dir=account, rayjob_pods=pods(tmp_path),
        )  # fmt: skip
        yield World(store, catalog, settings, redis, tmp_path / "dataset")
    redis.close()


def pods(tmp_path: Path) -> Path:
    """Pods that know the store and nothing else of the worker that watches them. Their Ray is a local one."""
    environment = {
        "LECTERN_STORE_URL": f"file://{tmp_path}/store", "LECTERN_CACHE_DIR": f"{tmp_path}/pod-cache",
        "LECTERN_CPU_THREADS": "1", "LECTERN_RAY_ADDRESS": "local",
    }  # fmt: skip
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    template = {"spec": {"containers": [{"name": "ray", "image": "lectern/training:1", "env": variables}]}}
    path = tmp_path / "pods.json"
    path.write_text(json.dumps({"head": template, "worker": template}))
    return path


@pytest.mark.slow
def test_a_run_on_a_cluster_outlives_the_driver_that_watched_it_and_has_the_same_curve(
    world: World, operator: Operator, tiny_base: Path, tmp_path: Path
) -> None:
    work = world.ask(RECIPE, publish_tiny(world.store, tiny_base))
    Watcher(world, work, 5, lambda driver: driver.kill())
    assert world.train(work) == "waiting"
    assert len(operator.cluster.rayjobs) == 1, "the cluster goes on without it"

    assert world.train(work) == "done"
    assert operator.cluster.rayjobs == {} and operator.processes == {}
    assert operator.cluster.asked.count("create") == 1, "the second attempt took it up"
    manifest = committed(world.store, "training", work.run)
    assert manifest is not None
    result = TrainingResult.model_validate(manifest.result)
    assert (result.steps, result.resumed_from_step) == (60, 0)
    world.store.download(output_path(world.store, "training", work.run, "curve.jsonl"), tmp_path / "curve.jsonl")
    assert figures(read_curve(tmp_path / "curve.jsonl")) == figures(undisturbed(world, tiny_base, tmp_path / "undisturbed"))


def test_a_cancelled_run_frees_what_it_held_of_the_cluster(world: World, operator: Operator, tiny_base: Path) -> None:
    work = world.ask(RECIPE.model_copy(update={"max_steps": 5000}), publish_tiny(world.store, tiny_base))
    Watcher(world, work, 2, lambda _: world.catalog.request_cancel(work.job))
    assert world.train(work) == "cancelled"
    wait_until(lambda: operator.cluster.rayjobs == {} and operator.processes == {}, "the cluster to be gone")
    assert committed(world.store, "training", work.run) is None

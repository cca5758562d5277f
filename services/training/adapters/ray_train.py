"""A run under Ray Train: on one machine Ray is started for the job and ends with it; else a cluster's is used."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.backend import Backend
from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from services.training.adapters.jobs import Diverged, Job, PointFile, RowTable
from shared.contracts.learning import LossPoint

_OBJECT_STORE_BYTES = 128 << 20


class OneWorker(ray.train.torch.TorchConfig):  # type: ignore[misc]
    """No process group where there is nobody to talk to: torch's would listen on every interface of the machine."""

    @property
    def backend_cls(self) -> type[Backend]:
        return Backend  # type: ignore[no-any-return]


def run_on_ray(job: Job, table: RowTable, live_curve: Path, use_gpu: bool, begins_from: bytes | None = None) -> None:
    """Train the job on `job.recipe.workers` workers, from the adapter in `begins_from` (safetensors) or a fresh one. Raises
    Diverged, or Ray's TrainingFailedError."""
    with _ray(job, table, begins_from):
        points = _beside_driver(PointFile, str(live_curve))
        trainer = ray.train.torch.TorchTrainer(
            _worker,
            train_loop_config={"job": job, "table": ray.put(table), "begins_from": ray.put(begins_from), "points": points},
            torch_config=OneWorker() if job.recipe.workers == 1 else None,
            scaling_config=ScalingConfig(num_workers=job.recipe.workers, use_gpu=use_gpu),
            run_config=RunConfig(
                name="run", storage_path=str(job.work / "ray"),
                failure_config=FailureConfig(max_failures=job.settings.worker_failures),
            ),
        )  # fmt: skip
        try:
            trainer.fit()
        except WorkerGroupError as error:
            _raise_divergence(error)
            raise


def _worker(config: dict[str, Any]) -> None:
    from services.training.adapters.loop import train  # noqa: PLC0415 - Ray's controller loads this module, but no model

    points = config["points"]

    def tell(point: LossPoint) -> None:
        ray.get(points.append.remote(point.model_dump(mode="json")))

    context = ray.train.get_context()
    table, begins_from = ray.get([config["table"], config["begins_from"]])
    train(config["job"], table, context.get_world_rank(), ray.train.torch.get_device(), tell, begins_from)


def _beside_driver(actor: type[Any], *arguments: Any) -> Any:
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(actor).options(num_cpus=0, scheduling_strategy=here).remote(*arguments)


def _raise_divergence(error: TrainingFailedError) -> None:
    for failure in error.worker_failures.values():
        if isinstance(failure, Diverged) or Diverged.__name__ in str(failure):
            raise Diverged(str(failure)) from error


@contextmanager
def _ray(job: Job, table: RowTable, begins_from: bytes | None) -> Iterator[None]:
    address = job.settings.ray_address
    # Ray's sockets lie below this directory, and a socket's path may have 107 bytes: the job's own is too deep.
    directory = Path(tempfile.mkdtemp(prefix="lectern-ray-"))
    local: dict[str, Any] = {
        "num_cpus": job.recipe.workers, "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES + 2 * (table.ids.nbytes + table.labels.nbytes + len(begins_from or b"")),
        "_temp_dir": str(directory),
    }  # fmt: skip
    try:
        ray.init(address=address, configure_logging=False, log_to_driver=False, **(local if address == "local" else {}))
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(directory, ignore_errors=True)

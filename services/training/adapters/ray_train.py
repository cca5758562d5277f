"""A run under Ray Train: on one machine Ray is started for the job and ends with it; else a cluster's is used."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
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

from services.training.adapters import machine
from services.training.adapters.handover import Rows
from services.training.adapters.jobs import Diverged, Job, RowTable, Sink, Unscorable
from services.training.settings import TrainingSettings
from services.training.stages.precision import Precision, choose_precision
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.telemetry import log

_OBJECT_STORE_BYTES = 128 << 20
_STARTS = 4
_TOO_SLOW = "timed out during startup"
"""Part of what Ray says, in a bare Exception, where its start took longer than the 30 s that it allows."""


class OneWorker(ray.train.torch.TorchConfig):  # type: ignore[misc]
    """No process group where there is nobody to talk to: torch's would listen on every interface of the machine."""

    @property
    def backend_cls(self) -> type[Backend]:
        return Backend  # type: ignore[no-any-return]


def run_on_ray(job: Job, table: RowTable, sink: Sink, use_gpu: bool, begins_from: bytes | None = None) -> None:
    """Train the job on `job.recipe.workers` workers, from the adapter in `begins_from` (safetensors) or a fresh one. Raises
    Diverged, or Ray's TrainingFailedError."""
    with _ray(job.settings, job.recipe.workers, table, begins_from):
        _fit(job, table, sink, use_gpu, begins_from)


def run_in_cluster(
    job_of: Callable[[Precision], Job], settings: TrainingSettings, recipe: TrainingRecipe, rows: Rows, sink: Sink
) -> Rejected | None:
    """The same on a cluster whose workers' machines are not this one: they are asked what they compute in. Returns why the
    run is refused, or None when it is done. Raises Ray's TrainingFailedError."""
    with _ray(settings, recipe.workers, rows.table, rows.begins_from):
        use_gpu = ray.cluster_resources().get("GPU", 0) >= recipe.workers if settings.use_gpu is None else settings.use_gpu
        asked = ray.remote(machine.capabilities).options(num_gpus=int(use_gpu))
        precision = choose_precision(recipe, ray.get(asked.remote()))
        if isinstance(precision, Rejected):
            return precision
        try:
            _fit(job_of(precision), rows.table, sink, use_gpu, rows.begins_from)
        except Diverged as error:
            return refused_as_diverged(error)
    return None


def refused_as_diverged(error: Diverged) -> Rejected:
    if isinstance(error, Unscorable):
        return Rejected(reason="unscorable", detail=str(error))
    return Rejected(reason="diverged", detail=f"{error}. Lower the learning rate, or raise warmup_ratio.")


def _fit(job: Job, table: RowTable, sink: Sink, use_gpu: bool, begins_from: bytes | None) -> None:
    points = _beside_driver(sink.actor, *sink.arguments)
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
        for kind in (Unscorable, Diverged):
            if isinstance(failure, kind) or kind.__name__ in str(failure):
                raise kind(str(failure)) from error


def start_ray(address: str, local: dict[str, Any]) -> None:
    """Start Ray, or reach it. Its own patience with a start is half a minute, which a machine with too much to do outlasts:
    that is no failure of the run, and it is started again. Raises what Ray raises."""
    for left in reversed(range(_STARTS)):
        try:
            ray.init(address=address, configure_logging=False, log_to_driver=False, **local)
            return
        except Exception as error:
            if _TOO_SLOW not in str(error) or not left:
                raise
            log().warning("ray.slow-start", left=left)
            ray.shutdown()


@contextmanager
def _ray(settings: TrainingSettings, workers: int, table: RowTable, begins_from: bytes | None) -> Iterator[None]:
    address = settings.ray_address
    # Ray's sockets lie below this directory, and a socket's path may have 107 bytes: the job's own is too deep.
    directory = Path(tempfile.mkdtemp(prefix="lectern-ray-"))
    local: dict[str, Any] = {
        "num_cpus": workers, "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES + 2 * (table.ids.nbytes + table.labels.nbytes + len(begins_from or b"")),
        "_temp_dir": str(directory),
    }  # fmt: skip
    try:
        start_ray(address, local if address == "local" else {})
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(directory, ignore_errors=True)

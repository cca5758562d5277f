"""Settings of training, and the environment that its child processes inherit."""

import os
import secrets
from pathlib import Path

from pydantic import Field, SecretStr

from shared.settings import SharedSettings

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that spin while they wait are ruinous on a machine that others work on too; sleeping costs nothing alone.
    "OMP_WAIT_POLICY": "PASSIVE",
}


KUBERAY = "kuberay"
"""The `ray_address` by which each run is a RayJob."""


class TrainingSettings(SharedSettings):
    """Where training runs, and how patiently it is watched."""

    default_base: str = Field("smollm2-135m-instruct", description="Base model published where none is named.")
    ray_address: str = Field(
        "local", description="`local` starts Ray for the one job; `kuberay` makes a RayJob of it; else an address of a cluster."
    )
    use_gpu: bool | None = Field(None, description="None: where this machine has one.")
    tensorboard_dir: Path | None = Field(None, description="Where curves go as TensorBoard's event files too, if anywhere.")
    cpu_threads: int | None = Field(None, ge=1, description="Threads of a job on a CPU; None: all cores.")
    worker_failures: int = Field(1, ge=0, description="Ray Train workers that may die before the job is given up.")
    checkpoints_kept: int = Field(2, ge=1, description="Complete checkpoints kept in the object store while a run trains.")
    compressor_python: Path | None = Field(
        None, description="The interpreter of an environment with llm-compressor, which makes awq, gptq, int8 and fp8."
    )
    poll_seconds: float = Field(0.5, gt=0, description="Between two looks at a child process.")
    stop_seconds: float = Field(15, gt=0, description="A child that has not ended after being asked to is killed.")

    kubernetes_url: str = Field("https://kubernetes.default.svc", description="The API server that makes RayJobs.")
    kubernetes_account_dir: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"), description="Where the pod's token, namespace and CA lie."
    )
    kubernetes_patience_seconds: float = Field(300, gt=0, description="An API server that does not answer is asked so long.")
    rayjob_pods: Path = Field(
        Path("/etc/lectern/rayjob/pods.json"), description="JSON: templates of the pods of a run, `head` and `worker`."
    )
    rayjob_seconds: int = Field(86400, gt=0, description="A RayJob that takes longer is ended by KubeRay.")
    rayjob_start_seconds: int = Field(1800, gt=0, description="A RayJob whose pods do not run by then is ended by KubeRay.")
    rayjob_retries: int = Field(1, ge=0, description="New clusters that KubeRay makes for a run that failed.")
    rayjob_unwatched_seconds: float = Field(900, gt=0, description="A RayJob that no worker watches for so long ends itself.")

    @property
    def threads(self) -> int:
        return self.cpu_threads or len(os.sched_getaffinity(0))


def quiet_libraries(settings: TrainingSettings) -> None:
    """Give this process, started by hand, what a worker would give its child; call before the libraries are imported."""
    for name, value in child_environment(settings).items():
        os.environ.setdefault(name, value)


def child_environment(settings: TrainingSettings) -> dict[str, str]:
    """This process's environment with every setting spelt out, so that the child sees what its parent was given."""
    spelt = {f"LECTERN_{name.upper()}": _spelt(value) for name, value in settings if value is not None}
    own_ray = _loopback_ray() if settings.ray_address == "local" else {}
    return {**_QUIET, **os.environ, **own_ray, **spelt}


def _loopback_ray() -> dict[str, str]:
    """For a Ray that serves one job on one machine: it listens on loopback alone (so the variable's name notwithstanding),
    and talks only to whoever knows a secret of that job's."""
    return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _spelt(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

"""Settings of training, and the environment that its child processes inherit."""

import os
import secrets
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from shared.settings import KubernetesSettings, SharedSettings

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


class TrainingSettings(SharedSettings, KubernetesSettings):
    """Where training runs, and how patiently it is watched."""

    default_base: str = Field("smollm2-135m-instruct", description="Base model published where none is named.")
    ray_address: str = Field(
        "local", description="`local` starts Ray for the one job; `kuberay` makes a RayJob of it; else an address of a cluster."
    )
    use_gpu: bool | None = Field(None, description="None: where this machine has one.")
    tensorboard_dir: Path | None = Field(None, description="Where curves go as TensorBoard's event files too, if anywhere.")
    mlflow_tracking_uri: str | None = Field(None, description="An MLflow tracking server that curves go to, if any.")
    mlflow_experiment: str = Field("lectern", min_length=1, description="The experiment there in which the runs are.")
    mlflow_username: str | None = Field(None, description="Who asks, where the server wants a name and a password.")
    mlflow_password: SecretStr | None = None
    mlflow_token: SecretStr | None = Field(None, description="Instead of a name and a password.")
    wandb_project: str | None = Field(None, description="The project of Weights & Biases that curves go to, if any.")
    wandb_entity: str | None = Field(None, description="The user or team whose project it is; None: the key's own.")
    wandb_url: str | None = Field(None, description="A W&B server of one's own; None: W&B's.")
    wandb_api_key: SecretStr | None = None
    wandb_offline_dir: Path | None = Field(
        None, description="Where curves are left as files for `wandb sync` instead, and nothing is sent."
    )
    cpu_threads: int | None = Field(None, ge=1, description="Threads of a job on a CPU; None: all cores.")
    worker_failures: int = Field(1, ge=0, description="Ray Train workers that may die before the job is given up.")
    checkpoints_kept: int = Field(2, ge=1, description="Complete checkpoints kept in the object store while a run trains.")
    compressor_python: Path | None = Field(
        None, description="The interpreter of an environment with llm-compressor, which makes awq, gptq, int8 and fp8."
    )
    poll_seconds: float = Field(0.5, gt=0, description="Between two looks at a child process.")
    stop_seconds: float = Field(15, gt=0, description="A child that has not ended after being asked to is killed.")

    kubernetes_patience_seconds: float = Field(300, gt=0, description="An API server that does not answer is asked so long.")
    rayjob_pods: Path = Field(
        Path("/etc/lectern/rayjob/pods.json"), description="JSON: templates of the pods of a run, `head` and `worker`."
    )
    rayjob_seconds: int = Field(86400, gt=0, description="A RayJob that takes longer is ended by KubeRay.")
    rayjob_start_seconds: int = Field(1800, gt=0, description="A RayJob whose pods do not run by then is ended by KubeRay.")
    rayjob_retries: int = Field(1, ge=0, description="New clusters that KubeRay makes for a run that failed.")
    rayjob_unwatched_seconds: float = Field(900, gt=0, description="A RayJob that no worker watches for so long ends itself.")

    @model_validator(mode="after")
    def _trackers_can_be_reached(self) -> Self:
        for variable, url in (("LECTERN_MLFLOW_TRACKING_URI", self.mlflow_tracking_uri), ("LECTERN_WANDB_URL", self.wandb_url)):
            if url is not None:
                _refuse_url(variable, url)
        if self.wandb_project is None and self.wandb_offline_dir is not None:
            raise ValueError("LECTERN_WANDB_OFFLINE_DIR is set without LECTERN_WANDB_PROJECT: name a project, or unset it")
        if self.wandb_project is not None and self.wandb_api_key is None and self.wandb_offline_dir is None:
            raise ValueError(
                "LECTERN_WANDB_PROJECT is set without LECTERN_WANDB_API_KEY: give a key, or a LECTERN_WANDB_OFFLINE_DIR"
            )
        if self.mlflow_token is not None and self.mlflow_username is not None:
            raise ValueError("LECTERN_MLFLOW_TOKEN and LECTERN_MLFLOW_USERNAME are both set: MLflow takes one or the other")
        return self

    @property
    def threads(self) -> int:
        return self.cpu_threads or len(os.sched_getaffinity(0))


def _refuse_url(variable: str, url: str) -> None:
    """Raises ValueError for what is no server's URL, or holds credentials, which clients write into logs. It is not told
    back, for the same reason."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{variable} must be the URL of a server: https://HOST, or http://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{variable} must hold no credentials: they have variables of their own")


def tracker_environment(settings: TrainingSettings) -> None:
    """Tell the trackers' clients, which read it when they are imported, what they take from the environment alone: who asks;
    no usage statistics; and to give up soon, since whoever calls them tries again."""
    known = {"TRACKING_USERNAME": settings.mlflow_username, "TRACKING_PASSWORD": settings.mlflow_password}
    known |= {"TRACKING_TOKEN": settings.mlflow_token}
    os.environ.update({f"MLFLOW_{name}": _spelt(value) for name, value in known.items() if value is not None})
    os.environ.update({
        "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_LOGGING_LEVEL": "ERROR", "WANDB_ERROR_REPORTING": "false",
    })  # fmt: skip


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

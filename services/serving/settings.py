"""Settings of serving, and the environment that an engine inherits."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import EngineSettings, KubernetesSettings, SharedSettings

_INHERITED = ("LECTERN_LAUNCH", "PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "TZ")
_INHERITED_FAMILIES = ("VLLM_", "OMP_", "CUDA_", "NVIDIA_", "NCCL_")


class ServingSettings(SharedSettings, EngineSettings, KubernetesSettings):
    """Which engines serve, with how much, and how patiently."""

    home: Path = Field(Path("/var/lib/lectern"), description="Engine records under `run/`, their logs under `log/`.")
    engines_on: Literal["machine", "kubernetes"] = Field(
        "machine", description="`machine`: child processes of the controller's. `kubernetes`: a Deployment for each."
    )
    engine_pod: Path = Field(
        Path("/etc/lectern/engine/pod.json"), description="JSON: what the Deployments of engines are called, and their pod."
    )
    vllm_command: Path = Field(Path("vllm"), description="The vllm executable, of an environment of its own.")
    llama_python: Path | None = Field(None, description="An interpreter that has xllamacpp, which serves GGUFs.")
    llama_slots: int = Field(4, ge=1, description="Sequences that llama.cpp decodes at once, each with a context of its own.")
    engine_device: Literal["cpu", "gpu"] = "cpu"
    engine_arguments: tuple[str, ...] = Field((), description="Appended to `vllm serve`, as a JSON list.")
    engine_threads: int = Field(
        default_factory=lambda: max(1, len(os.sched_getaffinity(0)) // 2),
        ge=1,
        description="OpenMP threads of an engine on a CPU. More than there are idle cores is slower by far.",
    )
    kv_cache_gib: int = Field(1, ge=1, description="Key-value cache of an engine on a CPU; a GPU's is sized by vLLM.")
    max_loras: int = Field(4, ge=1, description="Adapters that may share one batch; others wait for the next.")
    max_concurrent_requests: int = Field(64, ge=1, description="Sequences an engine decodes at once.")

    reconcile_seconds: float = Field(1.0, gt=0, description="Between two looks at the world.")
    start_timeout_seconds: float = Field(600, gt=0, description="An engine that gives no token within it is stopped.")
    stop_timeout_seconds: float = Field(8, gt=0, description="An engine that has not ended after it is killed.")
    drain_timeout_seconds: float = Field(600, gt=0, description="Longest that an engine nobody wants may answer what it began.")
    probe_timeout_seconds: float = Field(10, gt=0, description="A health check unanswered for so long has failed.")
    probe_failures: int = Field(3, ge=1, description="Health checks in a row that fail before an engine is restarted.")
    max_back_off_seconds: float = Field(60, gt=0, description="Longest wait before a failed engine is started again.")


def engine_environment() -> dict[str, str]:
    """What an engine may see of this process's environment: no Lectern setting, so none of its secrets."""
    return {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_FAMILIES)}

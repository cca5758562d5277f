"""How an engine is started, by what runs it: vLLM, or llama.cpp for a GGUF."""

from collections.abc import Mapping
from pathlib import Path

from services.serving.adapters import llama_command, vllm_command
from services.serving.adapters.commands import HOST, Launch
from services.serving.settings import ServingSettings
from services.serving.stages.architectures import MAMBA_1, UNKNOWN
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.errors import Unsupported


def check_possible(settings: ServingSettings, engine: EngineIdentity) -> None:
    """Whether such an engine can run here: cheap, and asked before anything is fetched. Raises Unsupported."""
    if engine.runtime == "llama.cpp":
        llama_command.check_possible(settings, engine)
    else:
        vllm_command.check_possible(settings)


def check_architecture(settings: ServingSettings, engine: EngineIdentity, model_type: str) -> None:
    """Raises Unsupported where such an engine cannot run a base of this kind."""
    if engine.runtime == "vllm" and model_type in UNKNOWN:
        raise Unsupported(f"vLLM has no model of the kind {model_type}, so it cannot be served: tune another base")
    if engine.runtime == "vllm" and settings.engine_device == "cpu" and model_type in MAMBA_1:
        raise Unsupported(
            f"vLLM's CPU build has no kernel for the scan of {model_type} models: serve it where there is a GPU "
            "(LECTERN_ENGINE_DEVICE=gpu), or tune a base of the Mamba 2 kind"
        )


def launch(
    settings: ServingSettings, spec: EngineSpec, directory: Path, inherited: Mapping[str, str], port: int,
    draft: Path | None = None, host: str = HOST,
) -> Launch:  # fmt: skip
    """The engine of weights that lie in a directory, with a draft model's in another where it guesses by one. Raises
    Unsupported where it cannot run, or would listen to others without a key; InvalidInput where there are no weights."""
    if host != HOST and not settings.engine_headers():
        raise Unsupported(
            f"an engine that listens on {host} trusts whoever reaches it: set LECTERN_ENGINE_API_KEY, the same for the gateway "
            "and for serving"
        )
    check_possible(settings, spec.engine)
    if spec.engine.runtime == "llama.cpp":
        return llama_command.launch(settings, spec, directory, inherited, port, host)
    return vllm_command.launch(settings, spec, directory, inherited, port, draft, host)

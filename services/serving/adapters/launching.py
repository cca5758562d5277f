"""How an engine is started, by what runs it: vLLM, or llama.cpp for a GGUF."""

from collections.abc import Mapping
from pathlib import Path

from services.serving.adapters import llama_command, vllm_command
from services.serving.adapters.commands import HOST, Launch
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.errors import Unsupported


def check_possible(settings: ServingSettings, engine: EngineIdentity) -> None:
    """Whether such an engine can run here: cheap, and asked before anything is fetched. Raises Unsupported."""
    if engine.runtime == "llama.cpp":
        llama_command.check_possible(settings, engine)
    else:
        vllm_command.check_possible(settings)


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

"""How an engine is started, by what runs it: vLLM, or llama.cpp for a GGUF."""

from collections.abc import Mapping
from pathlib import Path

from services.serving.adapters import llama_command, vllm_command
from services.serving.adapters.commands import Launch
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec


def check_possible(settings: ServingSettings, engine: EngineIdentity) -> None:
    """Whether such an engine can run here: cheap, and asked before anything is fetched. Raises Unsupported."""
    if engine.runtime == "llama.cpp":
        llama_command.check_possible(settings, engine)
    else:
        vllm_command.check_possible(settings)


def launch(
    settings: ServingSettings, spec: EngineSpec, directory: Path, inherited: Mapping[str, str], port: int,
    draft: Path | None = None,
) -> Launch:  # fmt: skip
    """The engine of weights that lie in a directory, with a draft model's in another where it guesses by one. Raises
    Unsupported where it cannot run, InvalidInput where there are no weights."""
    check_possible(settings, spec.engine)
    if spec.engine.runtime == "llama.cpp":
        return llama_command.launch(settings, spec, directory, inherited, port)
    return vllm_command.launch(settings, spec, directory, inherited, port, draft)

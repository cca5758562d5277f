"""How llama.cpp is started here, and whether it can be: for GGUFs, on machines that vLLM has no build for among others."""

from collections.abc import Mapping
from pathlib import Path

from services.serving.adapters.commands import HOST, Launch, address, key_of
from services.serving.settings import ServingSettings
from services.serving.stages.identity import EngineIdentity
from services.serving.stages.plan import EngineSpec
from shared.errors import InvalidInput, Unsupported

SERVER = Path(__file__).parents[1] / "llama_server.py"
"""Run by the interpreter of llama.cpp's environment, of which it needs nothing but xllamacpp."""


def launch(
    settings: ServingSettings, spec: EngineSpec, directory: Path, inherited: Mapping[str, str], port: int, host: str = HOST
) -> Launch:
    """The engine of the one GGUF in a directory. Raises Unsupported, InvalidInput."""
    files = sorted(directory.glob("*.gguf"))
    if len(files) != 1:
        raise InvalidInput(f"the export holds {len(files)} GGUFs, not one: make it again")
    command = (
        str(_python(settings)), str(SERVER),
        "--model", str(files[0]),
        "--name", spec.engine.served_name,
        "--host", host, "--port", str(port),
        "--context", str(spec.context_tokens),
        "--slots", str(spec.engine.arguments.max_concurrent_requests or settings.llama_slots),
        "--threads", str(settings.engine_threads),
        "--device", settings.engine_device,
    )  # fmt: skip
    return Launch(command, {**inherited, **key_of(settings, "LLAMA_API_KEY")}, address(host, port))


def check_possible(settings: ServingSettings, engine: EngineIdentity) -> None:
    """Raises Unsupported where there is no llama.cpp, and for what it is not asked to do here."""
    check_asked(engine)
    _python(settings)


def check_asked(engine: EngineIdentity) -> None:
    """Raises Unsupported for what llama.cpp is not asked to do here, wherever it runs."""
    if engine.speculation is not None:
        raise Unsupported("speculation is vLLM's, and a GGUF is served by llama.cpp: deploy it without")
    if engine.arguments.dtype is not None or engine.arguments.prefix_caching is not None:
        raise Unsupported(
            "dtype and prefix_caching are vLLM's, and a GGUF is served by llama.cpp, which computes in the types that the file "
            "has: deploy it without them"
        )


def _python(settings: ServingSettings) -> Path:
    if settings.llama_python is None or not settings.llama_python.is_file():
        raise Unsupported(
            "a GGUF is served by llama.cpp, which is not installed here: `make llama`, or set LECTERN_LLAMA_PYTHON to the "
            "interpreter of an environment that has xllamacpp, and start again"
        )
    return settings.llama_python.absolute()

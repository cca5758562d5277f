"""How vLLM is started here, and whether it can be."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.serving.adapters.commands import HOST, Launch, address, key_of
from services.serving.settings import ServingSettings
from services.serving.stages.plan import EngineSpec
from shared.contracts.engines import DraftSpeculation, EngineArguments, NgramSpeculation, Speculation
from shared.errors import Unsupported

WAY_OUT = (
    "or serve a GGUF of a tuned model on llama.cpp: `make llama`, `lectern export MODEL --variant gguf-q8_0 --wait`, and "
    "`lectern deploy MODEL --variant gguf-q8_0`"
)

_CPU_INFO = Path("/proc/cpuinfo")


def launch(
    settings: ServingSettings, spec: EngineSpec, directory: Path, inherited: Mapping[str, str], port: int,
    draft: Path | None = None, host: str = HOST,
) -> Launch:  # fmt: skip
    """The engine of weights that lie in a directory, with a draft model's in another where it guesses by one. Raises
    Unsupported where vLLM cannot run."""
    device = _cpu(settings) if settings.engine_device == "cpu" else ((), {})
    command = (
        str(find_vllm(settings)), "serve", str(directory),
        "--host", host, "--port", str(port),
        "--served-model-name", spec.engine.served_name,
        "--max-model-len", str(spec.context_tokens),
        *_adapters(settings, spec), *_arguments(settings, spec.engine.arguments), *_speculation(spec.engine.speculation, draft),
        # The gateway sends each adapter's own prompt template; nobody else reaches the engine.
        "--trust-request-chat-template",
        "--disable-uvicorn-access-log", "--disable-fastapi-docs",
        *device[0], *settings.engine_arguments,
    )  # fmt: skip
    cache = settings.cache_dir.absolute() / "vllm"
    environment = {
        **inherited,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_CONFIG_ROOT": str(cache),
        "HF_HUB_OFFLINE": "1",
        **key_of(settings, "VLLM_API_KEY"),
        **device[1],
    }
    return Launch(command, environment, address(host, port))


def _adapters(settings: ServingSettings, spec: EngineSpec) -> tuple[str, ...]:
    if not spec.lora_rank:
        return ()
    return ("--enable-lora", "--max-loras", str(settings.max_loras), "--max-lora-rank", str(spec.lora_rank))


def _arguments(settings: ServingSettings, asked: EngineArguments) -> Iterator[str]:
    """What a deployment asked for; what it left open is the settings', or vLLM's own."""
    yield from ("--max-num-seqs", str(asked.max_concurrent_requests or settings.max_concurrent_requests))
    dtype = asked.dtype or ("bfloat16" if settings.engine_device == "cpu" else None)
    if dtype is not None:
        yield from ("--dtype", dtype)
    if asked.prefix_caching is not None:
        yield "--enable-prefix-caching" if asked.prefix_caching else "--no-enable-prefix-caching"


def _speculation(asked: Speculation | None, draft: Path | None) -> Iterator[str]:
    match asked:
        case NgramSpeculation():
            told: dict[str, object] = {
                "method": "ngram", "num_speculative_tokens": asked.tokens,
                "prompt_lookup_max": asked.longest_match, "prompt_lookup_min": asked.shortest_match,
            }  # fmt: skip
        case DraftSpeculation():
            assert draft is not None, "whoever starts an engine that guesses by a model has fetched that model"
            told = {"method": "draft_model", "model": str(draft), "num_speculative_tokens": asked.tokens}
        case None:
            return
    yield from ("--speculative-config", json.dumps(told))


def _cpu(settings: ServingSettings) -> tuple[tuple[str, ...], dict[str, str]]:
    """On a CPU the model runs in the scheduler's process: with few cores a second process costs more than it brings
    (start-up 24 s against 33 s, tokens/s no lower, on 2 cores)."""
    arguments = ("--enforce-eager", "--distributed-executor-backend", "uni")
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # Bound threads fight with whatever else is bound to their core; free ones share the machine.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(settings.engine_threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        # The first request for log-probabilities would otherwise wait 20 s for a C++ compiler.
        "TORCHDYNAMO_DISABLE": "1",
    }
    return arguments, environment


def check_possible(settings: ServingSettings) -> None:
    """Whether an engine can run here at all: cheap, and asked before anything is fetched. Raises Unsupported."""
    if sys.platform != "linux":
        raise Unsupported(f"vLLM is published for Linux alone: serve on a machine, or in a container, that runs it, {WAY_OUT}")
    if settings.engine_device == "cpu":
        check_cpu(_CPU_INFO.read_text(encoding="utf-8") if _CPU_INFO.exists() else "")
    find_vllm(settings)


def check_cpu(cpu_info: str) -> None:
    """Raises Unsupported where this is an x86 processor without the instructions that vLLM's CPU build needs."""
    flags = next((line.split(":", 1)[1].split() for line in cpu_info.splitlines() if line.startswith("flags")), None)
    if flags is not None and "avx2" not in flags:
        raise Unsupported(
            "vLLM's CPU build needs a processor with AVX2, which this machine lacks: serve on another "
            "machine, or set LECTERN_ENGINE_DEVICE=gpu where there is a GPU"
        )


def find_vllm(settings: ServingSettings) -> Path:
    """The vllm executable. Raises Unsupported where there is none."""
    found = shutil.which(settings.vllm_command)
    if found is None:
        raise Unsupported(
            f"there is no vLLM at {settings.vllm_command}: install it with scripts/install_vllm.sh DIR and set "
            f"LECTERN_VLLM_COMMAND=DIR/bin/vllm, {WAY_OUT}",
            vllm_command=str(settings.vllm_command),
        )
    return Path(found).absolute()

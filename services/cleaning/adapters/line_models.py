"""Models of lines from where they lie: the package, a directory, or the object store. Arrays, and nothing that runs."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from services.cleaning.stages.line_features import LABELS, VERSION
from services.cleaning.stages.line_model import ChainModel, Weights, checked
from services.cleaning.stages.tagging import LineModel
from shared.errors import InvalidInput, NotFound
from shared.taggers import fetch_tagger

RULES, BUNDLED = "rules", "crf"
MODELS = Path(__file__).resolve().parents[1] / "models"
WEIGHTS, ENCODER_CONFIGURATION = "model.safetensors", "config.json"


def line_model(name: str, fetch: Callable[[str], Path], scratch: Path) -> LineModel | None:
    """The model of that name, None for the rules. Raises NotFound where no such tagger is published."""
    return bundled_model(name) if name in (RULES, BUNDLED) else model_in(fetch_tagger(name, fetch, scratch))


def bundled_model(name: str) -> LineModel | None:
    """The model that comes with Lectern, None for the rules. Raises NotFound where the name is neither."""
    if name == RULES:
        return None
    if name != BUNDLED:
        raise NotFound(f"{name} is no tagger that comes with Lectern: those are {RULES} and {BUNDLED}", tagger=name)
    return _bundled()


@cache
def _bundled() -> LineModel:
    return chain_model(MODELS / f"{BUNDLED}.safetensors")


def model_in(directory: Path) -> LineModel:
    """The tagger that `lectern cleaner train` made in a directory. Raises InvalidInput where there is none."""
    if (directory / ENCODER_CONFIGURATION).is_file():
        from services.cleaning.adapters.encoder_tagger import EncoderTagger  # noqa: PLC0415 - torch, where it is wanted

        return EncoderTagger(directory)
    return chain_model(directory / WEIGHTS)


def chain_model(path: Path) -> ChainModel:
    """A CRF or BiLSTM-CRF. Raises InvalidInput where the file holds none that fits this version."""
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"{path.name} cannot be read as a tagger: {error}", file=path.name) from error
    return ChainModel(checked(weights, about))


def save_chain_model(weights: Weights, kind: str, path: Path, trained_on: Mapping[str, str]) -> None:
    """In half precision, which changes no label that matters and halves the file."""
    about = {**trained_on, "kind": kind, "features": str(VERSION), "labels": ",".join(LABELS)}
    save_file({name: np.ascontiguousarray(array, dtype=np.float16) for name, array in weights.items()}, path, about)

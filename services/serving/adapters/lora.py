"""Adapters on this machine: fetched from the training stage's results, verified, kept by digest."""

import json
from dataclasses import dataclass
from pathlib import Path

from services.serving.stages.plan import RANKS
from shared import layout
from shared.contracts.learning import Model
from shared.contracts.work import File, Manifest
from shared.errors import InvalidInput, NotFound
from shared.ids import adapter_name, short
from shared.objects import ObjectStore, read_contract
from shared.publishing import fetch

FILES = ("adapter_config.json", "adapter_model.safetensors")
"""All that an engine is given of an adapter: JSON and safetensors. Tokenizer and template are the base's and ours."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that lies on this machine, whole and verified."""

    served_name: str
    directory: Path
    rank: int


class AdapterCache:
    """Adapters of the object store under `cache_dir/adapters/<digest>`."""

    def __init__(self, store: ObjectStore, cache_dir: Path) -> None:
        self._store = store
        self._root = cache_dir.absolute() / "adapters"
        self._known: dict[str, Adapter] = {}

    def fetch(self, model: Model) -> Adapter:
        """The model's adapter. Raises NotFound where training left none, Unavailable where it came damaged, InvalidInput
        where no engine could take it."""
        name = adapter_name(model.adapter_digest)
        if name not in self._known:
            directory = self._root / short(model.adapter_digest)
            if not directory.is_dir():
                self._download(model, directory)
            self._known[name] = Adapter(name, directory, _rank(directory))
        return self._known[name]

    def _download(self, model: Model, directory: Path) -> None:
        files = {file: (one.path, one.sha256) for file, one in _adapter_files(self._manifest(model), model).items()}
        fetch(self._store, files, directory, f"model {model.id}", model=model.id)

    def _manifest(self, model: Model) -> Manifest:
        manifest = read_contract(self._store, layout.manifest("training", model.adapter_key), Manifest)
        if manifest is None:
            raise NotFound(f"the adapter of model {model.id} is not in the object store: train it again", model=model.id)
        return manifest


def _adapter_files(manifest: Manifest, model: Model) -> dict[str, File]:
    try:
        return {file: manifest.files[f"adapter/{file}"] for file in FILES}
    except KeyError as error:
        raise NotFound(f"training of model {model.id} left no {error.args[0]}: train it again", model=model.id) from error


def _rank(directory: Path) -> int:
    try:
        config = json.loads((directory / FILES[0]).read_text(encoding="utf-8"))
        rank = max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("the adapter's adapter_config.json names no rank: it is no LoRA adapter") from error
    if not 0 < rank <= RANKS[-1]:
        raise InvalidInput(f"the adapter has rank {rank}; engines take up to {RANKS[-1]}: train with a lower lora_r")
    return rank

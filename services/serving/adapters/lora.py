"""Adapters on this machine: fetched from the training stage's results, verified, kept by digest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.serving.stages.plan import RANKS
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.learning import Model
from shared.contracts.work import File, Manifest
from shared.errors import InvalidInput, NotFound
from shared.ids import adapter_name, short
from shared.objects import ObjectStore, read_contract
from shared.publishing import fetch

FILES = ("adapter_config.json", "adapter_model.safetensors")
"""All that an engine is given of an adapter: JSON and safetensors. Tokenizer and template are the base's and ours."""


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StoredAdapter(Contract):
    """Where training left a model's adapter: enough to fetch it and to know that it came whole."""

    model: str
    key: _Digest
    digest: _Digest


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter as an engine is given it. `directory` is on the disk of the engine's machine: whole and verified where that is
    this one, and otherwise as it will be there."""

    served_name: str
    directory: Path
    rank: int
    stored: StoredAdapter


class AdapterCache:
    """Adapters of the object store under `cache_dir/adapters/<digest>`."""

    def __init__(self, store: ObjectStore, cache_dir: Path) -> None:
        self._store = store
        self._cache_dir = cache_dir
        self._known: dict[str, Adapter] = {}

    def fetch(self, model: Model) -> Adapter:
        """The model's adapter. Raises NotFound where training left none, Unavailable where it came damaged, InvalidInput
        where no engine could take it."""
        stored = stored_adapter(model)
        name = adapter_name(stored.digest)
        if name not in self._known:
            directory = self.bring(stored)
            config = (directory / FILES[0]).read_text(encoding="utf-8")
            self._known[name] = Adapter(name, directory, _rank(config), stored)
        return self._known[name]

    def bring(self, stored: StoredAdapter) -> Path:
        """Its directory. Raises NotFound, Unavailable."""
        directory = _directory(self._cache_dir, stored)
        if not directory.is_dir():
            files = {name: (one.path, one.sha256) for name, one in _files(self._store, stored).items()}
            fetch(self._store, files, directory, f"model {stored.model}", model=stored.model)
        return directory


class AdapterIndex:
    """Adapters of the object store, known by their configuration alone: engines' pods fetch them into their `cache_dir`."""

    def __init__(self, store: ObjectStore, cache_dir: Path) -> None:
        self._store = store
        self._cache_dir = cache_dir
        self._known: dict[str, Adapter] = {}

    def fetch(self, model: Model) -> Adapter:
        """The model's adapter. Raises NotFound where training left none, InvalidInput where no engine could take it."""
        stored = stored_adapter(model)
        name = adapter_name(stored.digest)
        if name not in self._known:
            config = self._store.read(_files(self._store, stored)[FILES[0]].path).decode()
            self._known[name] = Adapter(name, _directory(self._cache_dir, stored), _rank(config), stored)
        return self._known[name]


def stored_adapter(model: Model) -> StoredAdapter:
    """Raises NotFound where the model names nothing that training leaves."""
    try:
        return StoredAdapter(model=model.id, key=model.adapter_key, digest=model.adapter_digest)
    except ValueError as error:
        raise NotFound(f"model {model.id} names no adapter of a training: train it again", model=model.id) from error


def _directory(cache_dir: Path, stored: StoredAdapter) -> Path:
    return cache_dir.absolute() / "adapters" / short(stored.digest)


def _files(store: ObjectStore, stored: StoredAdapter) -> dict[str, File]:
    """What an engine is given of it, by name. Raises NotFound where training left none, or another than the one of the digest,
    by which it is kept and called."""
    manifest = read_contract(store, layout.manifest("training", stored.key), Manifest)
    if manifest is None:
        raise NotFound(f"the adapter of model {stored.model} is not in the object store: train it again", model=stored.model)
    if manifest.result.get("adapter_digest") != stored.digest:
        raise NotFound(
            f"the adapter of model {stored.model} is another than the one in the object store: train it again",
            model=stored.model,
        )
    try:
        return {name: manifest.files[f"adapter/{name}"] for name in FILES}
    except KeyError as error:
        raise NotFound(
            f"training of model {stored.model} left no {error.args[0]}: train it again", model=stored.model
        ) from error


def _rank(text: str) -> int:
    try:
        config = json.loads(text)
        rank = max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("the adapter's adapter_config.json names no rank: it is no LoRA adapter") from error
    if not 0 < rank <= RANKS[-1]:
        raise InvalidInput(f"the adapter has rank {rank}; engines take up to {RANKS[-1]}: train with a lower lora_r")
    return rank

"""Base models on this machine, and how long a context each was made for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.bases import base_object, fetch_base, read_base
from shared.errors import NotFound
from shared.objects import ObjectStore


class BaseCache:
    """Published base models under `cache_dir/bases`. What is published under a name never changes, so each is asked for
    once."""

    def __init__(self, store: ObjectStore, cache_dir: Path) -> None:
        self._store = store
        self._cache_dir = cache_dir.absolute()
        self._known: dict[str, Path] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._vocabularies: dict[str, Mapping[str, int] | None] = {}

    def fetch(self, base: str) -> Path:
        """The model's directory. Raises NotFound, InvalidInput, Unavailable."""
        if base not in self._known:
            self._known[base] = fetch_base(self._store, base, self._cache_dir)
        return self._known[base]

    def vocabulary(self, base: str) -> Mapping[str, int] | None:
        """Each token's id; None where the model does not tell. Raises NotFound, InvalidInput."""
        if base not in self._vocabularies:
            told = self._file(base, "tokenizer.json")
            self._vocabularies[base] = None if told is None else _vocabulary(told)
        return self._vocabularies[base]

    def context_limit(self, base: str) -> int | None:
        """The longest context in tokens; None where the model does not say. Raises NotFound, InvalidInput."""
        limit = self.config(base).get("max_position_embeddings")
        return limit if isinstance(limit, int) else None

    def model_type(self, base: str) -> str:
        """Its architecture's name in transformers; empty where it does not say. Raises NotFound, InvalidInput."""
        return str(self.config(base).get("model_type", ""))

    def config(self, base: str) -> dict[str, Any]:
        """The base's `config.json`, read without its weights: what was made of a base is served without it. Empty where it came
        without one. Raises NotFound, InvalidInput."""
        if base not in self._configs:
            self._configs[base] = self._file(base, "config.json") or {}
        return self._configs[base]

    def _file(self, base: str, name: str) -> dict[str, Any] | None:
        """One of its JSON files, read without its weights; None where it came without."""
        manifest = read_base(self._store, base)
        if manifest is None:
            raise NotFound(f"no base model {base} is published: publish it, or name one that is", base=base)
        return json.loads(self._store.read(base_object(manifest, name))) if name in manifest.files else None


def _vocabulary(tokenizer: dict[str, Any]) -> dict[str, int]:
    added = {one["content"]: one["id"] for one in tokenizer.get("added_tokens", ())}
    known = tokenizer.get("model", {}).get("vocab", {})
    return {**(known if isinstance(known, dict) else {}), **added}

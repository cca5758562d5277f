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
        self._vocabularies: dict[str, Mapping[str, int]] = {}

    def fetch(self, base: str) -> Path:
        """The model's directory. Raises NotFound, InvalidInput, Unavailable."""
        if base not in self._known:
            self._known[base] = fetch_base(self._store, base, self._cache_dir)
        return self._known[base]

    def vocabulary(self, base: str) -> Mapping[str, int] | None:
        """Each token's id; None where the model does not tell. Raises as `fetch` does."""
        path = self.fetch(base) / "tokenizer.json"
        if not path.is_file():
            return None
        if base not in self._vocabularies:
            told = json.loads(path.read_text(encoding="utf-8"))
            added = {one["content"]: one["id"] for one in told.get("added_tokens", ())}
            known = told.get("model", {}).get("vocab", {})
            self._vocabularies[base] = {**(known if isinstance(known, dict) else {}), **added}
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
            manifest = read_base(self._store, base)
            if manifest is None:
                raise NotFound(f"no base model {base} is published: publish it, or name one that is", base=base)
            told = "config.json" in manifest.files
            self._configs[base] = json.loads(self._store.read(base_object(manifest, "config.json"))) if told else {}
        return self._configs[base]

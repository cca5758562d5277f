"""Exports on this machine: what the gate let by, fetched from the store and verified, kept by key."""

from pathlib import Path, PurePosixPath

from shared.contracts.work import Manifest
from shared.errors import NotReady
from shared.exports import published
from shared.ids import short
from shared.objects import ObjectStore
from shared.publishing import fetch

KINDS = (".json", ".jinja", ".safetensors", ".gguf")
"""All that an engine is given of an export: weights that are no programs, a tokenizer, and the prompt template of the gateway's
own making."""


class ExportCache:
    """Published exports under `cache_dir/exports/<id>`."""

    def __init__(self, store: ObjectStore, cache_dir: Path) -> None:
        self._store = store
        self._root = cache_dir.absolute() / "exports"
        self._known: dict[str, Path] = {}

    def check(self, key: str) -> None:
        """Have it here, for an engine that is to start here. Raises as `fetch` does."""
        self.fetch(key)

    def fetch(self, key: str) -> Path:
        """The export's directory. Raises NotReady where nothing of that key was published, BeyondLimit where the gate refused
        it, Unavailable where it came damaged."""
        if key not in self._known:
            directory = self._root / short(key)
            if not directory.is_dir():
                self._download(key, directory)
            self._known[key] = directory
        return self._known[key]

    def _download(self, key: str, directory: Path) -> None:
        every = _published(self._store, key).files.items()
        files = {file: (one.path, one.sha256) for file, one in every if PurePosixPath(file).suffix in KINDS}
        fetch(self._store, files, directory, f"export {short(key)}", export=short(key))


class PublishedExports:
    """Published exports, known by their manifests alone: the pods of engines fetch them."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: set[str] = set()

    def check(self, key: str) -> None:
        """Raises NotReady where nothing of that key was published, BeyondLimit where the gate refused it."""
        if key not in self._known:
            _published(self._store, key)
            self._known.add(key)


def _published(store: ObjectStore, key: str) -> Manifest:
    manifest = published(store, key)
    if manifest is None:
        raise NotReady(
            f"export {short(key)} was not published: make it with `lectern export MODEL --variant VARIANT --wait`, and "
            "deploy that"
        )
    return manifest

"""Checkpoints in the object store, so that they outlive worker and machine.

`checkpoints/<run>/<step>/…`, and `complete.json` last: a checkpoint without it, or whose bytes are not the ones it
names, does not exist.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from shared import layout
from shared.contracts.base import Contract
from shared.contracts.work import File
from shared.errors import NotFound
from shared.objects import ObjectStore, create_contract, read_contract
from shared.telemetry import log

_COMPLETE = "complete.json"


class CheckpointManifest(Contract):
    """The files of a complete checkpoint: path within it → SHA-256."""

    step: int
    files: dict[str, str]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, store: ObjectStore, run: str, kept: int = 2) -> None:
        self._store = store
        self._root = layout.checkpoints(run)
        self._kept = kept

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, newest first."""
        paths = self._store.list(self._root)
        return sorted((int(path.split("/")[-2]) for path in paths if path.endswith(f"/{_COMPLETE}")), reverse=True)

    def upload(self, step: int, directory: Path) -> dict[str, str]:
        """Copy a local checkpoint (or one worker's share of it) in; returns path → SHA-256."""
        paths = sorted(path for path in directory.rglob("*") if path.is_file())
        return {name: self._upload(step, name, path).sha256 for path, name in _named(paths, directory)}

    def commit(self, step: int, files: dict[str, str]) -> None:
        """Declare a checkpoint complete, and forget the oldest."""
        self._store.delete(self._path(step, _COMPLETE))
        create_contract(self._store, self._path(step, _COMPLETE), CheckpointManifest(step=step, files=files))
        for old in self.steps()[self._kept :]:
            self._forget(old)

    def fetch_latest(self, into: Path) -> tuple[int, Path] | None:
        """The newest complete checkpoint as `<into>/checkpoint-<step>`, or None. One that is damaged is passed over."""
        for step in self.steps():
            target = into / f"checkpoint-{step}"
            if self._fetch(step, target):
                return step, target
            log().warning("checkpoint.damaged", step=step)
        return None

    def clear(self) -> None:
        """Forget all of them: the run's result stands."""
        for path in sorted(self._store.list(self._root), key=lambda path: not path.endswith(f"/{_COMPLETE}")):
            self._store.delete(path)

    def _fetch(self, step: int, target: Path) -> bool:
        manifest = read_contract(self._store, self._path(step, _COMPLETE), CheckpointManifest)
        if manifest is None:
            return False
        shutil.rmtree(target, ignore_errors=True)
        try:
            return all(self._download(step, name, target) == sha256 for name, sha256 in manifest.files.items())
        except NotFound:
            return False

    def _download(self, step: int, name: str, target: Path) -> str:
        path = (target / name).resolve()
        if not path.is_relative_to(target.resolve()):
            raise NotFound(f"a checkpoint names a file outside itself: {name!r}")
        self._store.download(self._path(step, name), path)
        return _sha256(path)

    def _forget(self, step: int) -> None:
        # The marker goes first: half a checkpoint must not look like a whole one.
        self._store.delete(self._path(step, _COMPLETE))
        for path in list(self._store.list(f"{self._root}/{step:08d}")):
            self._store.delete(path)

    def _upload(self, step: int, name: str, path: Path) -> File:
        return self._store.upload(self._path(step, name), path)

    def _path(self, step: int, name: str) -> str:
        return f"{self._root}/{step:08d}/{name}"


def _named(paths: Iterable[Path], directory: Path) -> list[tuple[Path, str]]:
    return [(path, path.relative_to(directory).as_posix()) for path in paths]


def _sha256(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()

"""Files published under a name for all workers: base models and taggers. The manifest is written last and names them all."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from shared.contracts.learning import BaseModelManifest
from shared.contracts.taggers import TaggerManifest
from shared.errors import InvalidInput, Unavailable
from shared.objects import ObjectStore, create_contract, read_contract

M = TypeVar("M", BaseModelManifest, TaggerManifest)


def publish(store: ObjectStore, at: str, manifest: M, files: Mapping[str, Path]) -> M | None:
    """Upload files to their paths and create the manifest at `at`; the one that stands there, or None where it is of other
    files. Nothing is uploaded where one stands already."""
    standing = read_contract(store, at, type(manifest))
    if standing is None:
        for path, file in files.items():
            store.upload(path, file)
        if create_contract(store, at, manifest):
            return manifest
        standing = read_contract(store, at, type(manifest))
    return standing if standing is not None and standing.digest == manifest.digest else None


def fetch(store: ObjectStore, files: Mapping[str, tuple[str, str]], target: Path, whole: str, **about: str) -> None:
    """Download files, each given by its relative path as where it lies and its SHA-256, unless the target is there: a directory
    that is there is complete. Of several callers at once one downloads and the others wait. `whole` is what they are together,
    for people. Raises Unavailable where one came damaged."""
    if target.is_dir():
        return
    with _locked(target.with_name(target.name + ".lock")):
        if not target.is_dir():
            _download(store, files, target, whole, about)


def _download(
    store: ObjectStore, files: Mapping[str, tuple[str, str]], target: Path, whole: str, about: Mapping[str, str]
) -> None:
    """To a directory beside the target, which takes its place when whole."""
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for file, (path, sha256) in files.items():
        here = part / inside(file)
        store.download(path, here)
        if sha256_of(here) != sha256:
            raise Unavailable(f"{file} of {whole} came damaged", **about, file=file)
    part.rename(target)


def inside(file: str) -> PurePosixPath:
    """A relative path that stays below its directory: manifests come from outside this process."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidInput(f"the manifest names a file outside its directory: {file!r}", file=file)
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Held by one process at a time, and freed by the kernel if that process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

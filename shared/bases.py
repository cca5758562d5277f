"""Base models in the object store: published once, fetched once a machine, by training and by serving alike."""

from pathlib import Path

from shared import layout
from shared.contracts.learning import BaseModelManifest
from shared.errors import Conflict, InvalidInput, NotFound
from shared.ids import short
from shared.keys import digest, is_name
from shared.objects import ObjectStore, read_contract
from shared.publishing import fetch, publish, sha256_of


def read_base(store: ObjectStore, name: str) -> BaseModelManifest | None:
    """What is published under the name, or None. Raises InvalidInput where the text is no name."""
    return read_contract(store, layout.base_manifest(_checked(name)), BaseModelManifest)


def publish_base(
    store: ObjectStore, directory: Path, *, name: str, source: str, licence: str, architecture: str, eos_token: str
) -> BaseModelManifest:
    """Upload every file of a directory as the base `name`, its manifest last. Publishing the same files again changes
    nothing. Raises Conflict where other files stand under the name."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    files = {path.relative_to(directory).as_posix(): sha256_of(path) for path in paths}
    if not files:
        raise InvalidInput(f"{directory.name} holds no files to publish as base model {name}", base=name)
    manifest = BaseModelManifest(
        name=_checked(name), digest=digest(files), files=files,
        source=source, licence=licence, architecture=architecture, eos_token=eos_token,
    )  # fmt: skip
    uploads = {base_object(manifest, file): path for path, file in zip(paths, files, strict=True)}
    standing = publish(store, layout.base_manifest(name), manifest, uploads)
    if standing is None:
        raise Conflict(f"base model {name} is published already with other files: choose another name", base=name)
    return standing


def fetch_base(store: ObjectStore, name: str, cache_dir: Path) -> Path:
    """The directory of a base model on this machine, downloaded and verified the first time it is asked for.

    Safe under concurrent callers: one downloads, the others wait. Raises NotFound where nothing is published under
    the name, Unavailable where what came differs from the manifest.
    """
    manifest = read_base(store, name)
    if manifest is None:
        raise NotFound(f"no base model {name} is published: publish it, or name one that is", base=name)
    target = cache_dir / "bases" / f"{name}-{short(manifest.digest)}"
    files = {file: (base_object(manifest, file), sha256) for file, sha256 in manifest.files.items()}
    fetch(store, files, target, f"base model {name}", base=name)
    return target


def base_object(manifest: BaseModelManifest, file: str) -> str:
    """Where a file of a published base lies. The digest in the path keeps two publishers of different files from
    overwriting each other's."""
    return layout.base_file(manifest.name, f"{short(manifest.digest)}/{file}")


def _checked(name: str) -> str:
    if not is_name(name):
        raise InvalidInput(f"{name!r} cannot name a base model: use a-z, 0-9, dot, dash and underscore", base=name)
    return name

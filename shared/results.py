"""Committed results: a stage's manifest, and how far a piece of work has come by the manifests that stand."""

from collections.abc import Iterator

from shared import layout
from shared.contracts.work import Manifest, Work
from shared.errors import Conflict, NotFound
from shared.objects import ObjectStore, read_contract
from shared.pipeline import DATASET, Stage, chain


def committed(store: ObjectStore, stage: str, key: str) -> Manifest | None:
    """The manifest of a stage's result, or None where it was not made yet."""
    return read_contract(store, layout.manifest(stage, key), Manifest)


def output_path(store: ObjectStore, stage: str, key: str, file: str) -> str:
    """Where an output of a committed result lies. Raises NotFound."""
    manifest = committed(store, stage, key)
    if manifest is None or file not in manifest.files:
        raise NotFound(f"{stage} {key[:16]} has no output {file}", stage=stage, key=key, file=file)
    return manifest.files[file].path


def standing(store: ObjectStore, work: Work) -> Iterator[tuple[Stage, Manifest | None]]:
    """The stages of a piece of work with their manifests, up to and including the first that is missing or refused."""
    for stage in chain(work):
        manifest = committed(store, stage.name, stage.key(work))
        yield stage, manifest
        if manifest is None or manifest.rejected is not None:
            return


def require_whole(store: ObjectStore, dataset: str, key: str, remedy: str) -> None:
    """A dataset that lines were taken out of is not what its name says. Raises Conflict."""
    manifest = committed(store, DATASET.name, key)
    if manifest is not None and manifest.redactions:
        number = len(manifest.redactions)
        documents = "a document" if number == 1 else f"{number} documents"
        raise Conflict(f"Dataset {dataset} is no longer whole: {documents} in it had to be forgotten. {remedy}")

"""Taggers of lines in the object store: published once beside the base models, fetched by name by the workers that clean."""

from collections.abc import Callable
from pathlib import Path

from shared import layout
from shared.contracts.taggers import TaggerManifest
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.ids import short
from shared.keys import digest, is_name
from shared.objects import ObjectStore
from shared.publishing import inside, publish, sha256_of

OF_LECTERN = frozenset({"rules", "crf"})
"""Names that are taken: what comes with Lectern."""

TAKEN = (
    "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
    "vocab.json", "merges.txt",
)  # fmt: skip
"""Weights, configuration and tokenizer: nothing that runs when it is loaded."""


def publish_tagger(store: ObjectStore, directory: Path, name: str) -> TaggerManifest:
    """Upload a trained tagger as `name`, its manifest last. Publishing the same files again changes nothing. Raises
    InvalidInput where there is no tagger, Conflict where another one stands under the name."""
    if not is_name(name) or name in OF_LECTERN:
        raise InvalidInput(f"{name!r} cannot name a tagger: use a-z, 0-9, dot, dash and underscore, and not a name of ours")
    paths = {file: directory / file for file in TAKEN if (directory / file).is_file()}
    if "model.safetensors" not in paths:
        raise InvalidInput(f"{directory.name} holds no model.safetensors: give the directory that `lectern cleaner train` made")
    files = {file: sha256_of(path) for file, path in paths.items()}
    manifest = TaggerManifest(name=name, digest=digest(files), files=files)
    uploads = {tagger_object(manifest, file): path for file, path in paths.items()}
    standing = publish(store, layout.tagger_manifest(name), manifest, uploads)
    if standing is None:
        raise Conflict(f"another tagger is published as {name} already: choose another name", tagger=name)
    return standing


def fetch_tagger(name: str, fetch: Callable[[str], Path], into: Path) -> Path:
    """The directory of a published tagger, below `into`. Raises NotFound where none is published under the name, Unavailable
    where what came differs from the manifest."""
    try:
        manifest = TaggerManifest.model_validate_json(fetch(layout.tagger_manifest(name)).read_bytes())
    except NotFound as error:
        raise unpublished(name) from error
    target = into / f"tagger-{short(manifest.digest)}"
    target.mkdir(parents=True, exist_ok=True)
    for file, sha256 in manifest.files.items():
        path = fetch(tagger_object(manifest, file))
        if file not in TAKEN or sha256_of(path) != sha256:
            raise Unavailable(f"{file} of the tagger {name} came damaged", tagger=name, file=file)
        (target / inside(file)).write_bytes(path.read_bytes())
    return target


def unpublished(name: str) -> NotFound:
    return NotFound(
        f"No tagger {name} is published, and the settings of the collection name it. Publish one with "
        "`lectern cleaner publish`, or set cleaning.tagger to `crf` or `rules`.",
        tagger=name,
    )


def tagger_object(manifest: TaggerManifest, file: str) -> str:
    """Where a file of a published tagger lies."""
    return layout.tagger_file(manifest.name, short(manifest.digest), file)

"""A dataset without the lines of one document: made beside the old files, put in their place, and the old ones removed.

The manifest is replaced in an order that can be cut short anywhere: the new one lies staged beside its files before the
old one goes, so whoever takes the work up again finds one of the two.
"""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared import layout
from shared.contracts.learning import DatasetResult, DatasetWish, Example
from shared.contracts.work import File, Manifest
from shared.ids import short
from shared.jsonl import lines_of
from shared.objects import ObjectStore, create_contract, read_contract
from shared.pipeline import DATASET
from shared.results import committed

BY_ROWS = (".jsonl", ".parquet")
"""Files that speak of documents row by row. All others (a card, its samples) tell of the dataset as it was, and go."""


def redact(store: ObjectStore, key: str, document: str) -> bool:
    """Take a document out of a dataset's files, and remove whatever else lies below its key. False where nothing was to do.
    Doing it twice, or going on where it was cut short, comes to the same."""
    attempt = f"redacted-{document[:16]}"
    staged = layout.attempt_file(DATASET.name, key, attempt, "manifest.json")
    standing = committed(store, DATASET.name, key)
    waiting = read_contract(store, staged, Manifest)
    if waiting is None and (standing is None or not _speaks(store, standing, document)):
        return _clear(store, key, standing)
    if waiting is None:
        assert standing is not None
        waiting = _made(store, standing, document, attempt)
        create_contract(store, staged, waiting)
    if standing is None or document not in standing.redactions:
        store.delete(layout.manifest(DATASET.name, key))
        create_contract(store, layout.manifest(DATASET.name, key), waiting)
    _clear(store, key, waiting)
    return True


def _speaks(store: ObjectStore, manifest: Manifest, document: str) -> bool:
    if document in manifest.redactions:
        return False
    wish = read_contract(store, layout.dataset(short(manifest.key)), DatasetWish)
    if wish is not None and any(one.document == document for one in wish.inputs):
        return True
    name = document.encode()
    paths = [file.path for at, file in manifest.files.items() if at.endswith(".jsonl")]
    return any(name in line for path in paths for line in lines_of(store, path))


def _made(store: ObjectStore, manifest: Manifest, document: str, attempt: str) -> Manifest:
    files: dict[str, File] = {}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="lectern-redaction-") as scratch:
        for name, file in manifest.files.items():
            if not name.endswith(BY_ROWS):
                continue
            target = Path(scratch) / "file"
            if name.endswith(".jsonl"):
                counts[name] = _filter_lines(store, file.path, target, document)
            else:
                source = Path(scratch) / "source"
                store.download(file.path, source)
                _filter_rows(source, target, document)
            files[name] = store.upload(layout.attempt_file(DATASET.name, manifest.key, attempt, name), target)
    result = _recounted(store, manifest, files, counts)
    return manifest.model_copy(
        update={"files": files, "result": result, "redactions": (*manifest.redactions, document)}
    )  # fmt: skip


def _filter_lines(store: ObjectStore, path: str, target: Path, document: str) -> int:
    name, kept = document.encode(), 0
    with target.open("wb") as writer:
        for line in lines_of(store, path):
            if name not in line:
                writer.write(line + b"\n")
                kept += 1
    return kept


def _filter_rows(source: Path, target: Path, document: str) -> None:
    """Rows in which no text names the document, a row group at a time."""
    reader = pq.ParquetFile(source)
    with pq.ParquetWriter(target, reader.schema_arrow, compression="zstd") as writer:
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            named = pa.array([False] * table.num_rows)
            for column, kind in zip(table.columns, table.schema.types, strict=True):
                if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                    named = pc.or_(named, pc.fill_null(pc.match_substring(column, document), False).combine_chunks())
            writer.write_table(table.filter(pc.invert(named)))


def _recounted(store: ObjectStore, manifest: Manifest, files: dict[str, File], counts: dict[str, int]) -> dict[str, object]:
    """Its counts, of the lines that are left. How long the examples were is no longer told."""
    before = DatasetResult.model_validate(manifest.result)
    sha = hashlib.sha256()
    recipes: Counter[str] = Counter()
    own: dict[str, set[str]] = {"train.jsonl": set(), "heldout.jsonl": set()}
    replayed = 0
    for name, documents in own.items():
        for line in lines_of(store, files[name].path) if name in files else ():
            sha.update(line + b"\n")
            example = Example.model_validate_json(line)
            recipes[example.recipe] += 1
            replayed += bool(example.replayed_from)
            documents.update(() if example.replayed_from else (example.document,))
    by_document = before.split == "document"
    changes = {
        "digest": sha.hexdigest(), "documents": len(set().union(*own.values())),
        "heldout_documents": len(own["heldout.jsonl"]) if by_document else 0,
        "train": counts.get("train.jsonl", 0), "heldout": counts.get("heldout.jsonl", 0),
        "chunks": counts.get("chunks.jsonl", 0), "replayed": replayed, "recipes": dict(sorted(recipes.items())), "lengths": (),
    }  # fmt: skip
    return before.model_copy(update=changes).model_dump(mode="json")


def _clear(store: ObjectStore, key: str, manifest: Manifest | None) -> bool:
    """Remove what lies below the key and is not named: older files, and what killed attempts left."""
    named = {file.path for file in manifest.files.values()} if manifest else set()
    keep = named | {layout.manifest(DATASET.name, key)}
    return _delete(store, (path for path in list(store.list(layout.stage(DATASET.name, key))) if path not in keep))


def _delete(store: ObjectStore, paths: Iterable[str]) -> bool:
    found = False
    for path in paths:
        store.delete(path)
        found = True
    return found

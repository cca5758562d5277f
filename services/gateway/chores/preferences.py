"""A document in preference sets: which of them may hold its text, and a set without the pairs that do."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared import layout
from shared.catalog.protocol import Catalog
from shared.contracts.forgetting import PreferenceTrace
from shared.contracts.preferences import PreferenceSet
from shared.contracts.work import File
from shared.ids import short
from shared.jsonl import lines_of
from shared.objects import ObjectStore, Series


def traces(store: ObjectStore, document: str) -> Iterator[PreferenceTrace]:
    """The sets with pairs of the document."""
    name = document.encode()
    for found in all_sets(store):
        if document in found.redactions:
            yield PreferenceTrace(set=short(found.key), name=found.name, redacted=True)
            continue
        lines = {part: sum(name in line for line in lines_of(store, file.path)) for part, file in found.files.items()}
        if any(lines.values()):
            counts = {part.removesuffix(".jsonl"): count for part, count in lines.items()}
            yield PreferenceTrace(set=short(found.key), name=found.name, **counts)


def untraced(store: ObjectStore) -> Iterator[str]:
    """Sets of which nobody can say whether the document is in them."""
    yield from (short(found.key) for found in all_sets(store) if found.untraced)


def all_sets(store: ObjectStore) -> Iterator[PreferenceSet]:
    for preferences in sorted({path.split("/")[1] for path in store.list("preferences")}):
        latest = Series(store, layout.preference_set(preferences)).latest(PreferenceSet)
        if latest is not None:
            yield latest[1]


def redact_preferences(store: ObjectStore, catalog: Catalog, preferences: str, document: str) -> None:
    """Take the document's pairs out of a set. New files first, then the entry that names them, then the old files go: doing it
    twice, or going on where it was cut short, comes to the same."""
    series = Series(store, layout.preference_set(preferences))
    latest = series.latest(PreferenceSet)
    if latest is None:
        return
    standing = latest[1]
    if document not in standing.redactions:
        standing = _without(store, preferences, standing, document)
        series.append(standing)
    catalog.put_preferences(standing)
    named = {file.path for file in standing.files.values()}
    for path in list(store.list(f"preference-pairs/{preferences}")):
        if path not in named:
            store.delete(path)


def _without(store: ObjectStore, preferences: str, standing: PreferenceSet, document: str) -> PreferenceSet:
    files: dict[str, File] = {}
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="lectern-redaction-") as scratch:
        for name, file in standing.files.items():
            target = Path(scratch) / name
            counts[name] = _filtered(store, file.path, target, document)
            path = layout.preference_file(preferences, f"redacted-{short(document)}", name)
            files[name] = store.upload(path, target)
    changes = {
        "files": files, "pairs": counts["train.jsonl"], "heldout": counts["heldout.jsonl"],
        "redactions": (*standing.redactions, document),
    }  # fmt: skip
    return standing.model_copy(update=changes)


def _filtered(store: ObjectStore, path: str, target: Path, document: str) -> int:
    name, kept = document.encode(), 0
    with target.open("wb") as writer:
        for line in lines_of(store, path):
            if name not in line:
                writer.write(line + b"\n")
                kept += 1
    return kept

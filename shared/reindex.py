"""Rebuild the catalog from the object store: every row is derived from objects by the functions that first indexed them."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared import layout
from shared.catalog.protocol import Catalog
from shared.contracts.base import Contract
from shared.contracts.documents import Membership
from shared.contracts.feedback import Feedback
from shared.contracts.keys import ApiKey, Deed
from shared.contracts.learning import Model
from shared.contracts.line_labels import LineWord
from shared.contracts.preferences import PreferenceSet
from shared.contracts.retention import Promotion
from shared.contracts.review import Label
from shared.contracts.tunings import TuningWish
from shared.indexing import (
    index_classifier,
    index_collection,
    index_dataset,
    index_deployment,
    index_document,
    index_export,
    index_forgotten,
    index_run,
    index_tuning,
)
from shared.objects import ObjectStore, Series, read_contract
from shared.tombstones import forgotten_once

ENTRY = r"([^/]+)/\d+\.json"
"""An entry of a series, and whose it is."""

WISHED: dict[str, Callable[[ObjectStore, Catalog, str], str]] = {
    "classifiers": index_classifier, "datasets": index_dataset, "runs": index_run, "exports": index_export,
}  # fmt: skip
"""What is wished for once, by the folder of its wishes."""

C = TypeVar("C", bound=Contract)


def reindex(store: ObjectStore, catalog: Catalog, tell: Callable[[int], None] = lambda done: None) -> dict[str, int]:
    """Index everything the store holds; returns how many of each noun. Unfinished work is left queued for the sweep."""
    counts = dict.fromkeys(("collections", "documents", "labels", *WISHED, "models", "promotions", "deployments"), 0)
    for name in _names(store, "collections", r"([^/]+)/settings/\d+\.json"):
        index_collection(store, catalog, name)
        counts["collections"] += 1
        for path in sorted(store.list(layout.memberships(name))):
            membership = read_contract(store, path, Membership)
            if membership is not None:
                index_document(store, catalog, membership)
                counts["documents"] += 1
                tell(counts["documents"])
    counts |= _index_words(store, catalog)
    for noun, index in WISHED.items():
        for wished in _names(store, noun, r"([^/]+)\.json"):
            index(store, catalog, wished)
            counts[noun] += 1
    for model in _names(store, "models", r"([^/]+)\.json"):
        found = read_contract(store, layout.model(model), Model)
        if found is not None:
            catalog.put_model(found)
            counts["models"] += 1
    counts["promotions"] = _index_latest(store, "promotions", layout.promotions, Promotion, catalog.put_promotion)
    for name in _names(store, "deployments", ENTRY):
        index_deployment(store, catalog, name)
        counts["deployments"] += 1
    counts["tunings"] = sum(_index_tunings(store, catalog, name) for name in _names(store, "tunings", ENTRY))
    counts["forgotten"] = 0
    for document in sorted(forgotten_once(store)):
        index_forgotten(store, catalog, document)
        counts["forgotten"] += 1
    counts["deeds"] = 0
    for path in store.list("audit"):
        deed = read_contract(store, path, Deed)
        if deed is not None:
            catalog.put_deed(deed)
            counts["deeds"] += 1
    counts["keys"] = index_keys(store, catalog)
    return counts


def index_keys(store: ObjectStore, catalog: Catalog) -> int:
    """Index the API keys alone, without which nobody could ask for the rest; returns how many."""
    return _index_latest(store, "keys", layout.api_key, ApiKey, catalog.put_key)


def _index_tunings(store: ObjectStore, catalog: Catalog, deployment: str) -> int:
    """Every tuning of a deployment; returns how many."""
    entries = list(Series(store, layout.tunings(deployment)).after(0, TuningWish))
    for number, wish in entries:
        index_tuning(store, catalog, deployment, number, wish)
    return len(entries)


def _index_words(store: ObjectStore, catalog: Catalog) -> dict[str, int]:
    """What people said: of texts, of lines, and of answers, where the latest word alone counts; and the
    preferences made of it."""
    labels = [
        _index_series(store, layout.labels(document), Label, catalog.put_labels)
        for document in _names(store, "labels", ENTRY)
    ]  # fmt: skip
    lines = [
        _index_series(store, layout.line_labels(document), LineWord, catalog.put_line_words)
        for document in _names(store, "line-labels", ENTRY)
    ]
    answers = _index_latest(store, "feedback", layout.feedback, Feedback, catalog.put_feedback)
    sets = _index_latest(store, "preferences", layout.preference_set, PreferenceSet, catalog.put_preferences)
    return {"labels": sum(labels), "line labels": sum(lines), "feedback": answers, "preference sets": sets}


def _index_series(store: ObjectStore, prefix: str, contract: type[C], put: Callable[[Sequence[tuple[int, C]]], None]) -> int:
    """Every entry of a series, with its number; returns how many."""
    entries = list(Series(store, prefix).after(0, contract))
    put(entries)
    return len(entries)


def _index_latest(
    store: ObjectStore, prefix: str, series: Callable[[str], str], contract: type[C], put: Callable[[C], None]
) -> int:
    """The latest entry of each series under a prefix; returns how many."""
    count = 0
    for name in _names(store, prefix, ENTRY):
        latest = Series(store, series(name)).latest(contract)
        if latest is not None:
            put(latest[1])
            count += 1
    return count


def _names(store: ObjectStore, prefix: str, pattern: str) -> Iterator[str]:
    """The distinct names under a prefix, sorted: what the pattern captures of each path."""
    matches = (re.fullmatch(f"{prefix}/{pattern}", path) for path in store.list(prefix))
    yield from sorted({match.group(1) for match in matches if match})

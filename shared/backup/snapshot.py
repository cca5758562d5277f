"""What of a store belongs to a backup, in an order that makes it whole though the store goes on changing meanwhile.

Objects are created once, and what names another is created after it. So an object that names others is listed before they
are: whatever a listed object names was there before the listing of it began, and is found. What is deleted meanwhile is taken
out at the end, when all of the store is listed again.
"""

from collections.abc import Iterable, Iterator

from shared import layout
from shared.objects import Listed, ObjectStore
from shared.pipeline import STAGES

BEFORE_STAGES = ("jobs", "audit", "feedback", "tuning-reports", "tunings", "deployments", "promotions")
BETWEEN = {
    "export": ("exports", "models"),
    "training": ("checkpoints", "runs", "preference-versions", "preferences", "preference-pairs"),
    "dataset": ("dataset-versions", "datasets"),
    "classifier": ("classifiers",),
}
"""What is named by a stage's results, or names it, and is listed when the stage has been."""
AFTER_STAGES = ("labels", "line-labels", "collections", "documents", "taggers", "bases", "keys", "people", "receipts")
AT_THE_END = ("forgotten",)
"""Tombstones are listed when all else was: whose document was found missing is among them."""
LEFT_OUT = ("uploads",)
"""What has not become anything yet."""


def listed_for_backup(store: ObjectStore) -> Iterator[Listed]:
    """Every object that a backup holds, but the tombstones."""
    for prefix in BEFORE_STAGES:
        yield from store.listed(prefix)
    for stage in reversed(STAGES):
        yield from _results(store, stage)
        for prefix in BETWEEN.get(stage, ()):
            yield from store.listed(prefix)
    for prefix in AFTER_STAGES:
        yield from store.listed(prefix)


def tombstones(store: ObjectStore) -> Iterator[Listed]:
    for prefix in AT_THE_END:
        yield from store.listed(prefix)


def still_there(store: ObjectStore) -> Iterator[str]:
    """The paths of all objects, of those that are there both before and after."""
    for prefix in (*BEFORE_STAGES, *(one for group in BETWEEN.values() for one in group), *AFTER_STAGES, "stages"):
        yield from store.list(prefix)


def _results(store: ObjectStore, stage: str) -> Iterator[Listed]:
    """Manifests first; then what lies below their keys. What has no manifest is unfinished, and is made again."""
    committed: set[bytes] = set()
    for one in store.listed(f"stages/{stage}"):
        if (key := _key(one.path)) and one.path == layout.manifest(stage, key):
            committed.add(bytes.fromhex(key))
            yield one
    for one in store.listed(f"stages/{stage}"):
        key = _key(one.path)
        if bytes.fromhex(key) in committed and one.path != layout.manifest(stage, key):
            yield one


def _key(path: str) -> str:
    return path.split("/")[2]


def prefixes() -> Iterable[str]:
    """Every prefix that a backup knows of, those it leaves out too."""
    between = (one for group in BETWEEN.values() for one in group)
    return (*BEFORE_STAGES, *between, *AFTER_STAGES, *AT_THE_END, *LEFT_OUT, "stages")

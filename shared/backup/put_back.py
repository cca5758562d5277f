"""Putting a backup back: every object checked by its digest, into a store and a catalog that are empty, or were being filled.

What an object names is put back before it, so whatever stands half way is consistent, and going on costs what is missing.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, inspect, select

from shared.backup import places, shelf
from shared.backup.take import AT_ONCE, BATCH_OBJECTS, Tell, batches, digest_of
from shared.catalog.tables import Base
from shared.contracts.backups import Backup, Held
from shared.errors import Conflict, Damaged, NotFound
from shared.objects import ObjectStore

NAMED = 5
"""Damaged objects that are named; of the others only how many."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """What became of the objects of a backup: written, or standing already."""

    backup: Backup
    written: int
    stood: int


def put_back(
    store: ObjectStore, place: ObjectStore, backup: str | None = None, resume: bool = False, tell: Tell = lambda *_: None
) -> PutBack:
    """Fill a store from a backup, the latest by default. Raises NotFound, Damaged (when all else was put back), and Conflict
    where the store holds objects already and is not to be gone on with, or holds others under the same paths."""
    found = shelf.chosen(place, backup)
    if not resume and next(iter(store.list("")), None) is not None:
        raise Conflict(
            "The store that is to be filled is not empty. Name an empty bucket or directory in LECTERN_STORE_URL; or, where an "
            "earlier restore was cut short, go on with it: --resume."
        )
    written = _each(place, found, partial(_write, store, place), tell)
    return PutBack(found, written, found.objects - written)


def check(place: ObjectStore, backup: str | None = None, tell: Tell = lambda *_: None) -> Backup:
    """Read a whole backup and write nothing. Raises NotFound, Damaged."""
    found = shelf.chosen(place, backup)
    _each(place, found, partial(_read, place), tell)
    return found


def require_empty_catalog(engine: Engine) -> None:
    """Raises Conflict where the catalog has a row of anything: it would tell of what the store does not hold."""
    there = set(inspect(engine).get_table_names())
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name in there and connection.execute(select(table).limit(1)).first() is not None:
                raise Conflict(
                    f"The catalog is not empty (it has {table.name}). Name an empty database in LECTERN_CATALOG_URL; "
                    "it is filled from the store."
                )


def _each(place: ObjectStore, backup: Backup, deal: "partial[bool]", tell: Tell) -> int:
    """Deal with every object, some at once; returns of how many it was true. Raises Damaged at the end."""
    true, dealt, size_bytes, damaged = 0, 0, 0, []

    def guarded(one: Held) -> tuple[Held, bool | Damaged]:
        try:
            return one, deal(one)
        except Damaged as error:
            return one, error

    with ThreadPoolExecutor(AT_ONCE) as dealing:
        for some in batches(shelf.held(place, backup, backwards=True), BATCH_OBJECTS):
            for one, answer in dealing.map(guarded, some):
                dealt, size_bytes = dealt + 1, size_bytes + one.size_bytes
                damaged += [one.path] if isinstance(answer, Damaged) else []
                true += answer is True
            tell(dealt, size_bytes)
    if damaged:
        more = f" and {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
        raise Damaged(
            f"{len(damaged)} of {backup.objects} objects of backup {backup.id} are missing there or not what was written: "
            f"{', '.join(damaged[:NAMED])}{more}. Restore another backup (--at), or make these again from what there is."
        )
    return true


def _write(store: ObjectStore, place: ObjectStore, one: Held) -> bool:
    """Put an object back; False where it stands. Raises Damaged, Conflict."""
    if store.size(one.path) == one.size_bytes and _digest(store, one.path) == one.sha256:
        return False
    if store.size(one.path) is not None:
        raise Conflict(f"{one.path} stands in the store and is another than the backup's: restore into an empty store.")
    with _blob(place, one) as file:
        store.upload(one.path, file)
    return True


def _read(place: ObjectStore, one: Held) -> bool:
    with _blob(place, one):
        return True


@contextmanager
def _blob(place: ObjectStore, one: Held) -> Iterator[Path]:
    """An object's bytes as a file, checked. Raises Damaged."""
    with tempfile.TemporaryDirectory(prefix="lectern-restore-") as root:
        file = Path(root) / "object"
        try:
            place.download(places.blob(one.sha256), file)
        except NotFound as error:
            raise Damaged(f"{one.path} is missing in the backup") from error
        if digest_of(file) != one.sha256:
            raise Damaged(f"{one.path} is not what was written")
        yield file


def _digest(store: ObjectStore, path: str) -> str:
    sha = hashlib.sha256()
    for block in store.stream(path):
        sha.update(block)
    return sha.hexdigest()

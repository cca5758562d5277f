"""Taking a backup: the store copied object by object while Lectern works, each read whole and named by its digest.

An object that an earlier backup holds as it stands is not read again. A backup that was cut short is gone on with: what it had
copied stands in its journal.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from shared.backup import places, shelf
from shared.backup.book import Book
from shared.backup.snapshot import listed_for_backup, still_there, tombstones
from shared.clock import now
from shared.contracts.backups import Backup, Held, Writing
from shared.contracts.work import File
from shared.errors import Conflict, NotFound
from shared.objects import Listed, ObjectStore, create_contract, read_contract

AT_ONCE = 8
"""Objects copied at once: most are small, and a copy of one is mostly waiting."""
BATCH_OBJECTS = 500
PART_OBJECTS = 5_000
CLOCKS_SECONDS = 60
"""How far the clocks of two servers may be apart: what was written so shortly before a backup began is read again."""

T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Hears of objects and bytes dealt with so far."""


class Taking:
    """One backup of a store into a place."""

    def __init__(self, store: ObjectStore, place: ObjectStore, scratch: Path) -> None:
        self._store = store
        self._place = place
        self._scratch = scratch
        self._book = Book(scratch)
        self._id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        self._started_at = now()

    def run(self, keep: int | None, resume: bool, tell: Tell) -> Backup:
        """Raises Conflict where another backup is being written there, or was cut short and is not to be gone on with."""
        self._lock(resume)
        self._recall()
        self._copy(listed_for_backup(self._store), tell)
        self._book.found_again(still_there(self._store))
        last = [one for one in map(self._held, tombstones(self._store)) if one]
        self._book.take(last)
        self._book.found_again(one.path for one in last)
        backup = self._commit()
        if keep:
            shelf.prune(self._place, keep, self._book)
        self._clear()
        self._book.close()
        return backup

    def _lock(self, resume: bool) -> None:
        mine = Writing(id=self._id, started_at=self._started_at)
        if create_contract(self._place, places.WRITING, mine):
            return
        other = read_contract(self._place, places.WRITING, Writing)
        if other == mine:  # a store that was asked twice, since its first answer was lost
            return
        if not resume:
            since = f" since {other.started_at}" if other else ""
            raise Conflict(
                f"A backup is being written to that place{since}, or was cut short. If it was, go on with it: --resume."
            )
        self._place.delete(places.WRITING)
        if not create_contract(self._place, places.WRITING, mine):
            raise Conflict("Another backup began to be written to that place this moment.")

    def _recall(self) -> None:
        """What is held already: by the latest backup, and by those that were cut short."""
        standing = shelf.backups(self._place)
        if standing:
            before = datetime.fromisoformat(standing[-1].started_at) - timedelta(seconds=CLOCKS_SECONDS)
            settled = before.isoformat()
            self._book.know(one for one in shelf.held(self._place, standing[-1]) if one.modified_at < settled)
        for path in sorted(self._place.list(places.JOURNAL)):
            self._book.know(Held.model_validate_json(line) for line in self._place.read(path).splitlines())

    def _copy(self, found: Iterator[Listed], tell: Tell) -> None:
        with ThreadPoolExecutor(AT_ONCE) as copying:
            for number, some in enumerate(batches(found, BATCH_OBJECTS)):
                fresh = [one for one in some if not self._take_known(one)]
                held = [one for one in copying.map(self._held, fresh) if one]
                if held:
                    self._book.take(held)
                    self._place.create(places.journal(self._id, number), shelf.lines(held))
                tell(*self._book.totals(of_all=True))

    def _take_known(self, one: Listed) -> bool:
        """Whether the place holds an object as it is now."""
        known = self._book.known(one.path, one.size_bytes, _at(one))
        if known is not None:
            self._book.take([Held(path=one.path, size_bytes=one.size_bytes, sha256=known, modified_at=_at(one))])
        return known is not None

    def _held(self, one: Listed) -> Held | None:
        """An object, copied; None where it is gone."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as root:
            file = Path(root) / "object"
            try:
                self._store.download(one.path, file)
            except NotFound:
                return None
            sha256, size_bytes = digest_of(file), file.stat().st_size
            if self._place.size(places.blob(sha256)) != size_bytes:
                self._place.upload(places.blob(sha256), file)
        return Held(path=one.path, size_bytes=size_bytes, sha256=sha256, modified_at=_at(one))

    def _commit(self) -> Backup:
        parts = []
        for number, some in enumerate(batches(self._book.taken(), PART_OBJECTS)):
            data, path = shelf.lines(some), places.part(self._id, number)
            self._place.create(path, data)
            parts.append(File(path=path, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
        objects, size_bytes = self._book.totals()
        backup = Backup(
            id=self._id, started_at=self._started_at, finished_at=now(), objects=objects, size_bytes=size_bytes,
            parts=tuple(parts),
        )  # fmt: skip
        create_contract(self._place, places.commit(self._id), backup)
        return backup

    def _clear(self) -> None:
        for path in list(self._place.list(places.JOURNAL)):
            self._place.delete(path)
        self._place.delete(places.WRITING)


def take(
    store: ObjectStore, place: ObjectStore, keep: int | None = None, resume: bool = False, tell: Tell = lambda *_: None
) -> Backup:
    """Back a store up. With `keep`, only so many of the latest backups stay. Raises Conflict where another is being written."""
    with tempfile.TemporaryDirectory(prefix="lectern-backup-") as scratch:
        return Taking(store, place, Path(scratch)).run(keep, resume, tell)


def digest_of(file: Path) -> str:
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def _at(one: Listed) -> str:
    return one.modified_at.isoformat()


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some

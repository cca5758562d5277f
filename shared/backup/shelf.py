"""The backups in a place: which there are, what each holds, and the removal of those that are no longer kept."""

import hashlib
import re
from collections.abc import Iterator

from shared.backup import places
from shared.backup.book import Book
from shared.contracts.backups import Backup, Held
from shared.errors import Damaged, NotFound
from shared.objects import ObjectStore, read_contract

_COMMIT = re.compile(rf"{places.BACKUPS}/([^/]+)/backup\.json")


def backups(place: ObjectStore) -> list[Backup]:
    """Those that stand, oldest first. Their ids begin with their time."""
    found = (_COMMIT.fullmatch(path) for path in place.list(places.BACKUPS))
    whole = (read_contract(place, match.group(0), Backup) for match in found if match)
    return sorted((one for one in whole if one is not None), key=lambda one: one.id)


def chosen(place: ObjectStore, backup: str | None) -> Backup:
    """The backup of that id, or the latest. Raises NotFound."""
    standing = backups(place)
    found = next((one for one in reversed(standing) if backup in (None, one.id)), None)
    if found is None:
        known = ", ".join(one.id for one in standing) or "none"
        raise NotFound(f"There is no backup {backup or 'at all'} in that place. Backups there: {known}.")
    return found


def held(place: ObjectStore, backup: Backup, *, backwards: bool = False) -> Iterator[Held]:
    """What a backup holds: an object after those that name it, or before. Raises Damaged where a part is not what it was."""
    for part in reversed(backup.parts) if backwards else backup.parts:
        try:
            data = place.read(part.path)
        except NotFound as error:
            raise Damaged(f"Backup {backup.id} lacks {part.path}: restore another.") from error
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise Damaged(f"{part.path} of backup {backup.id} is not what was written: restore another.")
        lines = data.splitlines()
        yield from (Held.model_validate_json(line) for line in (reversed(lines) if backwards else lines))


def lines(held_ones: list[Held]) -> bytes:
    return b"".join(one.model_dump_json().encode() + b"\n" for one in held_ones)


def prune(place: ObjectStore, keep: int, book: Book) -> int:
    """Remove all backups but the latest, and what none of these names; returns how many blobs went."""
    standing = backups(place)
    for old in standing[:-keep]:
        place.delete(places.commit(old.id))
        for part in old.parts:
            place.delete(part.path)
    for kept in standing[-keep:]:
        book.name(one.sha256 for one in held(place, kept))
    unnamed = [path for path in place.list("blobs") if not book.named(path.rsplit("/", 1)[-1])]
    for path in unnamed:
        place.delete(path)
    return len(unnamed)

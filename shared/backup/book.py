"""The book that a backup keeps while it is taken, on disk since a store may hold more objects than memory has room for."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.contracts.backups import Held

_SCHEMA = """
CREATE TABLE known (path TEXT PRIMARY KEY, size INTEGER, sha TEXT, modified TEXT) WITHOUT ROWID;
CREATE TABLE taken (
    number INTEGER PRIMARY KEY, path TEXT UNIQUE, size INTEGER, sha TEXT, modified TEXT, gone INTEGER DEFAULT 1
);
CREATE TABLE named (sha TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Book:
    """What earlier backups know, what this one has taken, and which blobs are named by a backup that stays."""

    def __init__(self, directory: Path) -> None:
        self._rows = sqlite3.connect(directory / "book.db", isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=OFF")
        self._rows.execute("PRAGMA synchronous=OFF")
        self._rows.executescript(_SCHEMA)

    def know(self, held: Iterable[Held]) -> None:
        rows = ((one.path, one.size_bytes, one.sha256, one.modified_at) for one in held)
        self._many("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)

    def known(self, path: str, size_bytes: int, modified_at: str) -> str | None:
        """The digest of an object that an earlier backup holds as it is now."""
        wanted = "SELECT sha FROM known WHERE path = ? AND size = ? AND modified = ?"
        found = self._rows.execute(wanted, (path, size_bytes, modified_at)).fetchone()
        return found[0] if found else None

    def take(self, held: Iterable[Held]) -> None:
        rows = ((one.path, one.size_bytes, one.sha256, one.modified_at) for one in held)
        self._many("INSERT OR REPLACE INTO taken (path, size, sha, modified) VALUES (?, ?, ?, ?)", rows)

    def found_again(self, paths: Iterable[str]) -> None:
        self._many("UPDATE taken SET gone = 0 WHERE path = ?", ((path,) for path in paths))

    def taken(self) -> Iterator[Held]:
        """What was taken and is there still, in its order."""
        rows = self._rows.execute("SELECT path, size, sha, modified FROM taken WHERE gone = 0 ORDER BY number")
        return (Held(path=path, size_bytes=size, sha256=sha, modified_at=modified) for path, size, sha, modified in rows)

    def totals(self, of_all: bool = False) -> tuple[int, int]:
        """Objects and bytes of what was taken and is there still, or of all that was taken."""
        wanted = "SELECT count(*), coalesce(sum(size), 0) FROM taken WHERE gone <= ?"
        found = self._rows.execute(wanted, (int(of_all),)).fetchone()
        return int(found[0]), int(found[1])

    def name(self, digests: Iterable[str]) -> None:
        self._many("INSERT OR IGNORE INTO named VALUES (?)", ((one,) for one in digests))

    def named(self, digest: str) -> bool:
        return self._rows.execute("SELECT 1 FROM named WHERE sha = ?", (digest,)).fetchone() is not None

    def close(self) -> None:
        self._rows.close()

    def _many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._rows.execute("BEGIN")
        self._rows.executemany(statement, rows)
        self._rows.execute("COMMIT")

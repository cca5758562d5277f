"""The local home: one directory that holds everything `lectern up` keeps.

HOME/store/       the object store: the truth (documents, stage results, datasets, runs, models, keys)
HOME/catalog.db   the catalog, an index of the store (SQLite); `lectern reindex` rebuilds it
HOME/valkey/      the queue server's append-only file and its configuration
HOME/cache/       base models; may be deleted, is made again
HOME/log/         a log per process, rotated
HOME/run/         while it is up: supervisord's configuration, socket and pid, the server's URL, the launch token
HOME/key          the local API key, readable by its owner alone
HOME/history      what was typed in `lectern chat`
HOME/report.html  the report of `lectern demo`
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cli.outcome import Exit, Failure

DEFAULT_SERVER = "http://127.0.0.1:8080"
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108, less supervisord's own suffix for the socket's first name


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of a home. Making one touches nothing."""

    root: Path

    @classmethod
    def at(cls, directory: Path) -> "Home":
        return cls(directory.expanduser().absolute())

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.db"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def key_file(self) -> Path:
        return self.root / "key"

    @property
    def server_file(self) -> Path:
        return self.run / "server"

    @property
    def token_file(self) -> Path:
        return self.run / "token"

    @property
    def socket(self) -> Path:
        """supervisord's socket; elsewhere where the home's own path is too long for one."""
        path = self.run / "supervisord.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
            return path
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"lectern-{os.getuid()}" / f"{name}.sock"

    def make(self) -> None:
        """Make the directories, private to their owner. Raises Failure where that cannot be."""
        try:
            for directory in (self.root, self.store, self.valkey, self.cache, self.log, self.run, self.socket.parent):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"{self.root} cannot be used as a home: {error}. Choose another with --home.", Exit.USAGE) from error
        if self.socket.parent.stat().st_uid != os.getuid():
            raise Failure(f"{self.socket.parent} belongs to another user; choose a shorter --home.", Exit.USAGE)

    def server(self) -> str | None:
        """The URL of the gateway that was last started here."""
        return _line(self.server_file)

    def key(self) -> str | None:
        return _line(self.key_file)

    def token(self) -> str | None:
        return _line(self.token_file)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None

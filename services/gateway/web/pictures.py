"""Pictures of pages: drawn by a confined child process when first looked at, and kept on this machine while they are wanted."""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from shared import layout
from shared.errors import NotReady
from shared.objects import ObjectStore
from shared.telemetry import log

DRAWING = "services.gateway.web.draw"
"""A program, not an import: no PDF is opened in this process."""

PIXELS = 1_100
SECONDS = 35
SOURCES_KEPT = 12
AT_ONCE = 2


class Shelf:
    """Files of a directory, the latest used ones kept."""

    def __init__(self, directory: Path, keep: int) -> None:
        self._directory = directory
        self._keep = keep

    def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file of that name, made where it is not there."""
        path = self._directory / name
        if path.exists():
            os.utime(path)
            return path
        self._directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{secrets.token_hex(6)}")
        try:
            make(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._forget()
        return path

    def _forget(self) -> None:
        kept = sorted(self._directory.glob("[!.]*"), key=_used, reverse=True)
        for path in kept[self._keep :]:
            path.unlink(missing_ok=True)


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


class Pictures:
    """Pages as pictures. Few are drawn at once: others wait for their turn."""

    def __init__(self, store: ObjectStore, cache_dir: Path, keep: int) -> None:
        self._store = store
        self._sources = Shelf(cache_dir / "pages" / "sources", SOURCES_KEPT)
        self._pictures = Shelf(cache_dir / "pages" / "pictures", keep)
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def of(self, document: str, page: int) -> bytes:
        """Blocking. Raises NotReady where the page cannot be drawn, NotFound where the document's bytes are gone."""

        def make(target: Path) -> None:
            source = self._sources.get(f"{document}.pdf", lambda path: self._store.download(layout.source(document), path))
            target.write_bytes(self._draw(source, page))

        return self._pictures.get(f"{document}-{page}-{PIXELS}.webp", make).read_bytes()

    def _draw(self, source: Path, page: int) -> bytes:
        command = [sys.executable, "-m", DRAWING, str(source), str(page), str(PIXELS)]
        with self._turns:
            try:
                drawn = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            except subprocess.TimeoutExpired:
                raise NotReady(f"Page {page} took too long to draw; its text is beside it all the same.") from None
        if drawn.returncode != 0 or not drawn.stdout:
            log().warning("page.undrawn", code=drawn.returncode)
            raise NotReady(f"Page {page} cannot be drawn; its text is beside it all the same.")
        return drawn.stdout

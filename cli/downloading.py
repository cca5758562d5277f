"""Writing what the gateway sends to a file or to stdout, streaming."""

import sys
from pathlib import Path

from cli.session import Session
from cli.text import plain, size


def to_file_or_stdout(session: Session, path: str, out: Path | None, **query: str | None) -> None:
    """Download a path. To a file: whole or not at all. To a terminal: without what could steer it."""
    if out is None:
        _to_stdout(session, path, query)
        return
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as file:
            written = session.api.download(path, file.write, **query)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    session.emit({"file": str(out), "bytes": written}) if session.as_json else session.say(f"{out}  {size(written)}")


def _to_stdout(session: Session, path: str, query: dict[str, str | None]) -> None:
    if not sys.stdout.isatty():
        session.api.download(path, sys.stdout.buffer.write, **query)
        sys.stdout.buffer.flush()
        return
    blocks: list[bytes] = []
    session.api.download(path, blocks.append, **query)
    sys.stdout.write(plain(b"".join(blocks).decode(errors="replace")))

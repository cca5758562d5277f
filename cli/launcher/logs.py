"""Reading the logs of a home: the last lines, and those that come."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

POLL_SECONDS = 0.3


def chosen(directory: Path, service: str | None) -> list[Path]:
    """The log files of a process, or of all processes of a service, or of everything."""
    found = sorted(directory.glob("*.log"))
    if service is None:
        return found
    return [path for path in found if path.stem == service or path.stem.rsplit("_", 1)[0] == service]


def last_lines(path: Path, count: int) -> list[str]:
    with path.open(errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, count)]


def follow_logs(paths: Iterable[Path], show: Callable[[Path, str], None]) -> None:
    """Show lines as they are added, for ever. A file that was rotated is begun anew."""
    offsets = {path: path.stat().st_size for path in paths}
    while True:
        offsets = {path: _added(path, offset, show) for path, offset in offsets.items()}
        time.sleep(POLL_SECONDS)


def _added(path: Path, offset: int, show: Callable[[Path, str], None]) -> int:
    """Show the whole lines after an offset; returns the offset after them."""
    try:
        if path.stat().st_size < offset:
            offset = 0
        with path.open("rb") as file:
            file.seek(offset)
            whole = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return 0
    for line in whole[0].split(b"\n") if whole[1] else []:
        show(path, line.decode(errors="replace"))
    return offset + len(whole[0]) + len(whole[1])

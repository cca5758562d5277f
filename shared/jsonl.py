"""JSON lines of the store, a line at a time, with the bytes where each stands."""

from collections.abc import Iterator

from shared.contracts.work import File
from shared.objects import ObjectStore

READ_BYTES = 64 << 10


def placed_lines(store: ObjectStore, path: str) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and bytes of each line of an object."""
    start, rest = 0, b""
    for block in store.stream(path):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield start, start + len(line), line
            start += len(line) + 1
    if rest:
        yield start, start + len(rest), rest


def lines_of(store: ObjectStore, path: str) -> Iterator[bytes]:
    """The lines of an object, never whole in memory; empty ones are passed over."""
    return (line for _, _, line in placed_lines(store, path) if line)


def lines_from(store: ObjectStore, file: File, start: int) -> Iterator[tuple[bytes, int]]:
    """Lines from a byte on, each with the byte behind its end."""
    rest = b""
    for at in range(start, file.size_bytes, READ_BYTES):
        *lines, rest = (rest + store.read_range(file.path, at, min(at + READ_BYTES, file.size_bytes))).split(b"\n")
        for line in lines:
            start += len(line) + 1
            yield line, start
    if rest:
        yield rest, file.size_bytes

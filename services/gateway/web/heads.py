"""The beginning of a file of lines: what a page shows of it."""

from shared.contracts.work import File
from shared.objects import ObjectStore

MOST_BYTES = 256 << 10


def first_lines(store: ObjectStore, file: File, most: int) -> list[bytes]:
    """The first whole lines, as many as are wanted and lie within 256 KiB."""
    if not file.size_bytes:
        return []
    block = store.read_range(file.path, 0, min(file.size_bytes, MOST_BYTES))
    return [line for line in block.split(b"\n")[: most + 1][:-1] if line]

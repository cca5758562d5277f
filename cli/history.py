"""What was typed, remembered between conversations, where Python has readline."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LINES = 1000


@contextmanager
def remembered_lines(file: Path) -> Iterator[None]:
    """Line editing and history for `input`, kept in a file that its owner alone can read."""
    try:
        import readline
    except ImportError:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(LINES)
    try:
        yield
    finally:
        with suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            readline.write_history_file(file)

"""Keys as they are typed, without Enter. The terminal is held that way throughout, so that keys typed ahead are not lost."""

import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def typed_keys() -> Iterator[Callable[[], str]]:
    """A function that waits for the next key; empty at the end of input. Ctrl-C interrupts, as it does elsewhere."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield lambda: os.read(terminal, 1).decode("latin-1")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)

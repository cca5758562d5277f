"""One confined child process: started with limits and without a network, and heard in bytes alone.

Nothing that a child says is unpickled or evaluated: whoever takes a parser over gains no more than the child itself.
"""

import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from threading import Lock
from types import ModuleType

from shared.confinement import deny_network, end_with, limit

MAX_ANSWER_BYTES = 1 << 16
DONE, MEMORY, CONFUSED = b"done ", b"memory ", b"confused "
"""What an answer begins with: the work's own, or what stopped it."""

COLLECTED_EVERY = 50_000
"""A page makes tens of thousands of small objects and hardly a cycle: looking for some every 700 costs a tenth of the time."""

_ONE_AT_A_TIME = Lock()
"""Held to start a child and to learn how one ended: whenever it starts one, multiprocessing asks after every child of the
process, and of two threads that ask after the same one at once, the later hears nothing and takes it for dead (code 255)."""

Task = Callable[..., Iterator[str]]
"""What a child does: a function that can be named, of strings and numbers, that gives one text or several."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of address space; seconds of processor time, as a backstop to the time that its parent keeps."""

    memory_bytes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code, negative for a signal, and what it could not do."""

    code: int
    no_memory: bool = False
    confused: str = ""


def children(alone: bool, preload: tuple[str, ...]) -> BaseContext:
    """How children are started. `alone`: this process runs no thread beside the one that starts them, and holds no secret.

    Then they are forked from it, with all that it has loaded; else from a server that has loaded `preload` and nothing else.
    """
    if alone and sys.platform == "linux":
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


class Child:
    """A child at work. A context manager, on whose exit it is no more."""

    def __init__(self, context: BaseContext, limits: Limits, task: Task, *arguments: str | int) -> None:
        self._last = b""
        self._answers, theirs = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_confined, args=(theirs, os.getpid(), limits, task, arguments), daemon=True
        )
        with _nothing_of_ours():
            self._process.start()
        theirs.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        wait([self._process.sentinel])
        self._answers.close()
        with _ONE_AT_A_TIME:
            self._process.join()
            self._process.close()

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(wait([self._process.sentinel], timeout=seconds))

    def answer(self, seconds: float) -> str | None:
        """What it says next; None where it says nothing within so many seconds, or nothing any more."""
        try:
            self._last = self._answers.recv_bytes(MAX_ANSWER_BYTES) if self._answers.poll(seconds) else b""
        except (EOFError, OSError):
            return None
        return self._last.removeprefix(DONE).decode("utf-8", "replace") if self._last.startswith(DONE) else None

    def ended(self) -> Ended:
        """How it ended; to be asked once it has."""
        wait([self._process.sentinel])
        with _ONE_AT_A_TIME:
            self._process.join()
            said, code = self._last, self._process.exitcode or 0
        confused = said.removeprefix(CONFUSED).decode("ascii", "replace")[:80] if said.startswith(CONFUSED) else ""
        return Ended(code, said.startswith(MEMORY), confused)


@contextmanager
def _nothing_of_ours() -> Iterator[None]:
    """Hides the program that runs: a child would load it for the names of `__main__`, and needs none of them."""
    with _ONE_AT_A_TIME:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _confined(answers: Connection, parent: int, limits: Limits, task: Task, arguments: tuple[str | int, ...]) -> None:
    """Runs in the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()
    gc.freeze()
    gc.set_threshold(COLLECTED_EVERY)
    end_with(parent)
    deny_network()
    limit(limits.memory_bytes, limits.seconds)
    try:
        for answer in task(*arguments):
            answers.send_bytes(DONE + answer.encode("utf-8", "replace"))
    except MemoryError:
        answers.send_bytes(MEMORY)
    except Exception as error:
        answers.send_bytes(CONFUSED + type(error).__name__.encode("ascii", "replace"))

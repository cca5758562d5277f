"""Children that threads start side by side are each heard to their end."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver

import pytest

from services.extraction.adapters.confined import Child, Ended, Limits, children

CONTEXT = children(alone=False, preload=())
LIMITS = Limits(1 << 31, 60)


def say(word: str) -> Iterator[str]:
    yield word


def test_no_end_is_missed_where_threads_ask_after_children_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = forkserver.read_signed  # type: ignore[attr-defined]

    def slowly(file: int) -> int:
        said = int(heard(file))
        time.sleep(0.01)
        return said

    monkeypatch.setattr(forkserver, "read_signed", slowly)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(heard_of, range(40))) == [(f"word {number}", Ended(0)) for number in range(40)]


def heard_of(number: int) -> tuple[str | None, Ended]:
    with Child(CONTEXT, LIMITS, say, f"word {number}") as child:
        while not child.has_ended(0.1):
            pass
        time.sleep(number % 4 * 0.003)
        return child.answer(0), child.ended()

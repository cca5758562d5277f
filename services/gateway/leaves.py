"""A document's results a page at a time: which lines of a JSONL file speak of which page, looked up once a file."""

import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from services.gateway.garbage import lines_from
from shared.contracts.work import File
from shared.objects import ObjectStore

PagesOf = Callable[[dict[str, Any]], Iterable[int]]


def of_page(line: dict[str, Any]) -> Iterable[int]:
    return (int(line["page"]),)


def of_number(line: dict[str, Any]) -> Iterable[int]:
    return (int(line["number"]),)


def of_spans(line: dict[str, Any]) -> Iterable[int]:
    return {int(span["page"]) for span in line.get("spans", ())}


class Leaves:
    """The places of the files asked for last: page → bytes from and to. Their text stays in the store."""

    def __init__(self, store: ObjectStore, keep: int) -> None:
        self._store = store
        self._keep = keep
        self._places: OrderedDict[str, dict[int, list[tuple[int, int]]]] = OrderedDict()
        self._lock = threading.Lock()

    def lines(self, file: File, page: int, pages_of: PagesOf, most: int = 2_000) -> list[bytes]:
        """Up to `most` lines of the file that speak of the page, in order."""
        places = self._of(file, pages_of).get(page, [])[:most]
        if not places:
            return []
        # Lines of a page lie near each other: one read instead of many.
        first, last = places[0][0], places[-1][1]
        if last - first <= 2 * sum(end - start for start, end in places):
            block = self._store.read_range(file.path, first, last)
            return [block[start - first : end - first] for start, end in places]
        return [self._store.read_range(file.path, start, end) for start, end in places]

    def _of(self, file: File, pages_of: PagesOf) -> dict[int, list[tuple[int, int]]]:
        with self._lock:
            if file.path in self._places:
                self._places.move_to_end(file.path)
                return self._places[file.path]
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        start = 0
        for line, end in lines_from(self._store, file, 0):
            for page in pages_of(json.loads(line)):
                found[page].append((start, start + len(line)))
            start = end
        with self._lock:
            self._places[file.path] = dict(found)
            while len(self._places) > self._keep:
                self._places.popitem(last=False)
        return dict(found)

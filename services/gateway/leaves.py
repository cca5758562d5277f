"""A document's results a page at a time: which lines of a JSONL file speak of which page, looked up once a file."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from services.gateway.recent import Recent
from shared.contracts.work import File
from shared.jsonl import placed_lines
from shared.objects import ObjectStore

PagesOf = Callable[[dict[str, Any]], Iterable[int]]
Places = dict[int, list[tuple[int, int]]]
"""Page → bytes from and to of the lines that speak of it."""


def of_page(line: dict[str, Any]) -> Iterable[int]:
    return (int(line["page"]),)


def of_number(line: dict[str, Any]) -> Iterable[int]:
    return (int(line["number"]),)


def of_spans(line: dict[str, Any]) -> Iterable[int]:
    return {int(span["page"]) for span in line.get("spans", ())}


class Leaves:
    """The places of the files asked for last. Their text stays in the store."""

    def __init__(self, store: ObjectStore, keep: int) -> None:
        self._store = store
        self._places: Recent[Places] = Recent(keep)

    def lines(self, file: File, page: int, pages_of: PagesOf, most: int = 2_000) -> list[bytes]:
        """Up to `most` lines of the file that speak of the page, in order."""
        places = self._places.of(file.path, lambda: self._placed(file, pages_of)).get(page, [])[:most]
        if not places:
            return []
        # Lines of a page lie near each other: one read instead of many.
        first, last = places[0][0], places[-1][1]
        if last - first <= 2 * sum(end - start for start, end in places):
            block = self._store.read_range(file.path, first, last)
            return [block[start - first : end - first] for start, end in places]
        return [self._store.read_range(file.path, start, end) for start, end in places]

    def _placed(self, file: File, pages_of: PagesOf) -> Places:
        found: Places = defaultdict(list)
        for start, end, line in placed_lines(self._store, file.path):
            for page in pages_of(json.loads(line)):
                found[page].append((start, end))
        return dict(found)

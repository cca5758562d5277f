"""What a reviewer is shown next: texts of three lanes, interleaved, so that a page holds those near one half, those that the
classifier contradicts, and some drawn by lot."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from services.gateway.pagination import decode_cursor, encode_cursor
from shared.catalog.protocol import Catalog, Placed
from shared.contracts.documents import Chunk, GarbageItem
from shared.contracts.review import Lane, ReviewItem
from shared.contracts.views import ListPage
from shared.errors import NotFound
from shared.objects import ObjectStore

TURN: tuple[Lane, ...] = ("uncertain", "uncertain", "doubted", "uncertain", "random")
"""Whose turn it is; a lane that is at its end leaves its turn to the others."""

LANES: tuple[Lane, ...] = ("uncertain", "doubted", "random")
BEGINNING = (-1.0, "")


@dataclass
class Place:
    """How far the list was read: turns taken, and the last `(rank, id)` of each lane."""

    turns: int
    after: dict[Lane, tuple[float, str]]

    @classmethod
    def of(cls, cursor: str | None) -> "Place":
        """Raises BadCursor."""
        if cursor is None:
            return cls(0, dict.fromkeys(LANES, BEGINNING))
        turns, *rest = decode_cursor(cursor, int, *(float, str) * len(LANES))
        return cls(abs(int(turns)), {lane: (float(rest[2 * at]), str(rest[2 * at + 1])) for at, lane in enumerate(LANES)})

    @property
    def cursor(self) -> str:
        return encode_cursor(self.turns % len(TURN), *(value for lane in LANES for value in self.after[lane]))


def review_page(
    store: ObjectStore, catalog: Catalog, reviewer: str, collection: str | None, limit: int, cursor: str | None
) -> ListPage[ReviewItem]:
    """Up to `limit` texts that the reviewer should see next. A text that is gone from the store is passed over."""
    place = Place.of(cursor)
    lanes = {
        lane: catalog.reviewables(lane, limit + 1, place.after[lane], collection, reviewer) for lane in LANES
    }  # fmt: skip
    chosen = list(_interleaved(lanes, place, limit))
    items = tuple(item for one in chosen if (item := _item(store, one)) is not None)
    left = sum(len(found) for found in lanes.values()) > len(chosen)
    return ListPage(items=items, next_cursor=place.cursor if left else None)


def _interleaved(lanes: dict[Lane, list[Placed]], place: Place, limit: int) -> Iterator[Placed]:
    """In turn, each text once: the same bytes on two shelves are one text. Moves the place along."""
    rest = {lane: iter(found) for lane, found in lanes.items()}
    seen: set[tuple[str, str]] = set()
    while len(seen) < limit and rest:
        lane = TURN[place.turns % len(TURN)]
        place.turns += 1
        one = next(rest.get(lane, iter(())), None)
        if one is None:
            rest.pop(lane, None)
            continue
        place.after[lane] = (one.rank, one.id)
        if (one.document, one.mark) not in seen:
            seen.add((one.document, one.mark))
            yield one


def _item(store: ObjectStore, one: Placed) -> ReviewItem | None:
    try:
        line = json.loads(store.read_range(one.path, one.start, one.end))
    except NotFound:
        return None
    item = _as_item(Chunk.model_validate(line)) if one.decision == "kept" else GarbageItem.model_validate(line)
    said = {"collection": one.collection, "decision": one.decision, "why": one.lane}
    return ReviewItem.model_validate({**item.model_dump(), **said})


def _as_item(chunk: Chunk) -> GarbageItem:
    """Nothing was measured of a kept chunk, so its score is 0."""
    return GarbageItem.of_chunk(chunk, chunk.reason, score=0.0, threshold=0.0)

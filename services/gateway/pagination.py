"""Lists a page at a time: the cursor names the last item seen, so that pages stay true while new items arrive."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from services.gateway.problems import BadCursor
from shared.catalog.protocol import Slice
from shared.contracts.base import Contract
from shared.contracts.views import ListPage

V = TypeVar("V", bound=Contract)
Position = tuple[str, str]

MAX_LIMIT = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of this page.")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")]


def encode_cursor(*values: str | float) -> str:
    """An opaque, URL-safe name for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(values, ensure_ascii=False).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[str | float]:
    """The values that a cursor was made of. Raises BadCursor where they are not of these kinds."""
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _bad() from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise _bad()
    if not all(str(value).isprintable() for value in values):
        raise _bad()
    return values


def _bad() -> BadCursor:
    return BadCursor("This cursor is none that a list gave out: use `next_cursor` of the page before, or start without one.")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page was asked for."""

    limit: int
    before: Position | None

    @property
    def slice(self) -> Slice:
        """One more than the page holds, to see whether there is another page."""
        return Slice(limit=self.limit + 1, before=self.before)

    def page(self, found: Sequence[V], position: Callable[[V], Position]) -> ListPage[V]:
        items = tuple(found[: self.limit])
        more = len(found) > self.limit
        return ListPage(items=items, next_cursor=encode_cursor(*position(items[-1])) if more else None)


async def _paging(limit: Limit = 50, cursor: Cursor = None) -> Paging:
    if cursor is None:
        return Paging(limit, None)
    at, identity = decode_cursor(cursor, str, str)
    return Paging(limit, (str(at), str(identity)))


PagingOf = Annotated[Paging, Depends(_paging)]

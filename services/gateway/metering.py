"""What an answer of an engine cost, counted for the key that asked; a stream is counted as it passes.

A key with limits is counted in the catalog, before its request goes on: no gateway admits one too many. A key without any is
counted in memory and written down every second, since nobody has to wait for a number that decides nothing.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Any

import anyio
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from shared.catalog.protocol import Catalog
from shared.contracts.keys import ApiKey, KeyUse
from shared.telemetry import log

TALLY_SECONDS = 1.0
_USAGE = re.compile(rb'"usage":\s*\{')
"""An event that tells a count. Within a JSON text a quote is escaped, so these bytes can be nothing but the field."""


class Tally:
    """Counts of keys by day that are not in the catalog yet."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()

    def add(self, key: str, at: datetime, requests: int = 0, tokens: int = 0) -> None:
        with self._lock:
            self._requests[key, _day(at)] += requests
            self._tokens[key, _day(at)] += tokens

    def write(self) -> None:
        """Put what was counted in the catalog; what it does not take is kept for the next time."""
        with self._lock:
            requests, self._requests = self._requests, Counter()
            tokens, self._tokens = self._tokens, Counter()
        waiting = set(requests)
        try:
            for one in sorted(requests):
                self._catalog.count_use(*one, KeyUse(requests=requests[one], tokens=tokens[one]))
                waiting.discard(one)
        finally:
            with self._lock:
                for one in waiting:
                    self._requests[one] += requests[one]
                    self._tokens[one] += tokens[one]


def write_for_ever(tally: Tally, stopped: Event) -> None:
    """Every second until stopped, and once more then."""
    while True:
        ended = stopped.wait(TALLY_SECONDS)
        try:
            tally.write()
        except Exception as error:  # the catalog may be away; the counts wait for it
            log().warning("tally.waits", error=type(error).__name__)
        if ended:
            return


@dataclass(frozen=True, slots=True)
class Meter:
    """One request of a key. Admitted first, counted when its answer ends."""

    catalog: Catalog
    tally: Tally
    key: ApiKey
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def admit(self) -> None:
        """Raises LimitReached."""
        if self.key.limited:
            await run_in_threadpool(self.catalog.admit, self.key, self.at)
        else:
            self.tally.add(self.key.id, self.at, requests=1)

    async def metered(self, answer: Response, wants_usage: bool) -> Response:
        """The answer, counted. `wants_usage` says that the client asked for a stream's own count, which is kept from others."""
        if isinstance(answer, StreamingResponse):
            answer.body_iterator = self._stream(answer.body_iterator, wants_usage)
        elif answer.status_code < 400:
            await self._count(_tokens(json.loads(bytes(answer.body))))
        return answer

    async def _stream(self, blocks: Any, wants_usage: bool) -> AsyncIterator[bytes]:
        """Who leaves in the middle has used a token for each event that came: the engine tells its count only at the end."""
        events = total = 0
        try:
            async for block in blocks:
                events += block.count(b'"choices":')
                if _USAGE.search(block):
                    told, shown = _usage_of(block)
                    total = told or total
                    block = block if wants_usage else shown  # noqa: PLW2901
                if block:
                    yield block
        finally:
            with anyio.CancelScope(shield=True):
                await self._count(total or events)

    async def _count(self, tokens: int) -> None:
        if self.key.limited and tokens:
            await run_in_threadpool(self.catalog.count_use, self.key.id, _day(self.at), KeyUse(tokens=tokens))
        elif tokens:
            self.tally.add(self.key.id, self.at, tokens=tokens)


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _usage_of(block: bytes) -> tuple[int, bytes]:
    """The tokens that a block of events tells of, and the block without those that tell of nothing else."""
    total, shown = 0, b""
    for whole in block.split(b"\n\n")[:-1]:
        event = _event(whole)
        total = _tokens(event) or total
        if not (event.get("choices") == [] and "usage" in event):
            shown += whole + b"\n\n"
    return total, shown


def counted(body: dict[str, Any]) -> dict[str, Any]:
    """A request as it goes to the engine: a stream ends with its count. Options that are none are left for the engine to
    refuse."""
    options = body.get("stream_options") or {}
    if not body.get("stream") or not isinstance(options, dict):
        return body
    return {**body, "stream_options": {**options, "include_usage": True}}


def wants_usage(options: object) -> bool:
    """Whether `stream_options` ask for the count."""
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _event(line: bytes) -> dict[str, Any]:
    if not line.startswith(b"data:"):
        return {}
    try:
        value = json.loads(line.removeprefix(b"data:"))
    except ValueError:
        return {}  # `data: [DONE]`
    return value if isinstance(value, dict) else {}


def _tokens(answer: object) -> int:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else 0

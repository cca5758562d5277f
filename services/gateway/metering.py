"""What an answer of an engine cost, counted for the key that asked; a stream is counted as it passes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from shared.catalog.protocol import Catalog
from shared.contracts.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Meter:
    """One request of a key. Admitted first, counted when its answer ends."""

    catalog: Catalog
    key: ApiKey
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def admit(self) -> None:
        """Raises LimitReached."""
        self.catalog.admit(self.key, self.at)

    async def metered(self, answer: Response, wants_usage: bool) -> Response:
        """The answer, counted. `wants_usage` says that the client asked for a stream's own count, which is kept from others."""
        if isinstance(answer, StreamingResponse):
            answer.body_iterator = self._stream(answer.body_iterator, wants_usage)
        elif answer.status_code < 400:
            await self._count(_tokens(json.loads(bytes(answer.body))))
        return answer

    async def _stream(self, lines: Any, wants_usage: bool) -> AsyncIterator[bytes]:
        """Who leaves in the middle has used a token for each event that came: the engine tells its count only at the end."""
        events = total = 0
        after_usage = False
        try:
            async for line in lines:
                event = _event(line)
                events += bool(event.get("choices"))
                total = _tokens(event) or total
                hidden = not wants_usage and event.get("choices") == [] and "usage" in event
                if not hidden and not (after_usage and line == b"\n"):
                    yield line
                after_usage = hidden
        finally:
            with anyio.CancelScope(shield=True):
                await self._count(total or events)

    async def _count(self, tokens: int) -> None:
        if tokens:
            await run_in_threadpool(self.catalog.count_tokens, self.key.id, self.at, tokens)


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

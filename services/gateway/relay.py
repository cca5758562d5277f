"""A request on its way to an engine and the answer on its way back, a chunk as it comes; who goes away stops the engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

import anyio
import httpx
from fastapi import Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway.editors import Superseded, Turn
from services.gateway.engines import Target
from services.gateway.problems import openai_error
from shared.engine_words import said
from shared.telemetry import log
from shared.template import TEMPLATES

T = TypeVar("T")

VERSION_HEADER = "X-Lectern-Model"
OURS = ("chat_template", "chat_template_kwargs", "session")
"""A template is a program that the engine runs, so it comes from this repository and never from a request; a session is the
gateway's own."""


def rewritten(body: dict[str, Any], target: Target, chat: bool) -> dict[str, Any]:
    """The request as the engine is to see it."""
    sent = {name: value for name, value in body.items() if name not in OURS}
    sent["model"] = target.served
    if chat and target.template in TEMPLATES:  # a model tuned on its base's own template is asked by the engine's
        sent["chat_template"] = TEMPLATES[target.template]
    return sent


class NotBegun(Exception):
    """The engine was not reached, or does not hold the model: it has begun nothing, so another may be asked. `told` is what to
    tell where there is none."""

    def __init__(self, told: Response) -> None:
        super().__init__()
        self.told = told


async def relay(
    engines: httpx.AsyncClient, request: Request, target: Target, url: str, path: str, body: dict[str, Any],
    turn: Turn | None = None, asking: AbstractContextManager[None] | None = None,
) -> Response:  # fmt: skip
    """Ask the engine at `url`. `asking` is open until the answer has ended, a stream's end included. Raises NotBegun,
    ClientDisconnect where the client goes away before the answer begins, Superseded where its turn is over before that."""
    asked = engines.build_request("POST", url + path, json=body, headers=_trace(request))
    with ExitStack() as held:
        if asking is not None:
            held.enter_context(asking)
        try:
            upstream = await _unless_gone(request, engines.send(asked, stream=True), turn)
            if upstream.headers.get("content-type", "").startswith("text/event-stream"):
                return _Relayed(upstream, target, turn, held.pop_all())
            try:
                answer = await _unless_gone(request, upstream.aread(), turn)
            finally:
                await upstream.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotBegun(_unreachable(error)) from error
        except httpx.TimeoutException:
            return openai_error(
                504, "engine_timeout", "The engine did not answer in time; ask for fewer tokens, or again later."
            )
        except httpx.TransportError as error:
            # It went away with the request, which may be why: no other engine is sent after it.
            return _unreachable(error)
    if upstream.status_code == httpx.codes.NOT_FOUND:
        raise NotBegun(_answer(upstream.status_code, answer, target))
    return _answer(upstream.status_code, answer, target)


def _unreachable(error: httpx.TransportError) -> Response:
    log().warning("engine.unreachable", error=type(error).__name__)
    return openai_error(503, "engine_unreachable", "The engine does not answer; it may be starting anew.", {"Retry-After": "5"})


def answered(target: Target) -> dict[str, str]:
    """The header that says which version answered."""
    return {VERSION_HEADER: target.version}


def _answer(status: int, content: bytes, target: Target) -> Response:
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if status < 400 and isinstance(value, dict):
        return JSONResponse(_told(value, target), status, answered(target))
    log().warning("engine.refused", status=status)
    if status >= 500 or value is None or status < 400:
        return openai_error(502, "engine_error", "The engine failed at this request; its log tells more.")
    if status == 404:
        return openai_error(503, "model_not_ready", f"The engine does not hold {target.asked} yet.", {"Retry-After": "5"})
    return openai_error(
        status, "engine_refused", said(value, "The engine refused this request.").replace(target.served, target.asked)
    )


def _told(value: dict[str, Any], target: Target) -> dict[str, Any]:
    """An answer with the name that was asked for, and the version that answered where OpenAI's API has a place for it."""
    named = {"model": target.asked, "system_fingerprint": target.version}
    return {**value, **{name: told for name, told in named.items() if name in value}}


class _Relayed(StreamingResponse):
    """A stream of events whose upstream is closed with it, however it ends."""

    def __init__(self, upstream: httpx.Response, target: Target, turn: Turn | None, held: ExitStack) -> None:
        events = _renamed(upstream, target, turn)
        headers = {"X-Accel-Buffering": "no", **answered(target)}
        super().__init__(events, upstream.status_code, headers, "text/event-stream")
        self._upstream = upstream
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with self._held, anyio.CancelScope(shield=True):
                await self._upstream.aclose()


async def _renamed(upstream: httpx.Response, target: Target, turn: Turn | None) -> AsyncIterator[bytes]:
    """Whole events, as many at a time as came from the engine together."""
    blocks = upstream.aiter_bytes()
    renamed = Renaming(target)
    try:
        async for events in _whole(turn.until_ended(blocks) if turn else blocks):
            yield renamed(events)
    # The status is sent, so an error has to be an event; OpenAI's clients raise on one.
    except Superseded as error:
        yield _event(openai_error(409, error.code, error.message))
    except httpx.TimeoutException:
        yield _event(openai_error(504, "engine_timeout", "The engine fell silent in the middle of its answer."))
    except httpx.TransportError:
        yield _event(openai_error(502, "engine_lost", "The engine went away in the middle of its answer."))


def _event(error: JSONResponse) -> bytes:
    return b"data: " + bytes(error.body) + b"\n\n"


async def _whole(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Blocks that end where an event does: at an empty line."""
    rest = b""
    async for block in blocks:
        events, end, rest = (rest + block).rpartition(b"\n\n")
        if end:
            yield events + end
    if rest:
        yield rest


class Renaming:
    """Puts the name that a client asked for in the place of the engine's own, in events."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._from, self._to = (b'"model":' + json.dumps(name).encode() for name in (target.served, target.asked))

    def __call__(self, events: bytes) -> bytes:
        # Within a JSON text a quote is escaped, so these bytes can be nothing but the field: no token has to be parsed.
        if events.count(b'"model":') == events.count(self._from) and b'"system_fingerprint"' not in events:
            return events.replace(self._from, self._to)
        return b"\n".join(self._line(line) for line in events.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data:"):
            return line
        try:
            value = json.loads(line.removeprefix(b"data:"))
        except ValueError:
            return line  # `data: [DONE]`
        if not isinstance(value, dict) or "model" not in value:
            return line
        told = _told(value, self._target)
        return b"data: " + json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _trace(request: Request) -> dict[str, str]:
    return {"X-Request-Id": request.scope.get("lectern.trace", "")}


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T], turn: Turn | None = None) -> T:
    """Await work for as long as the client is there to be answered and its turn is not over. Its body is read already."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    over = {asyncio.ensure_future(turn.ended())} if turn else set()
    try:
        await asyncio.wait({working, gone, *over}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if gone.done():
            raise ClientDisconnect
        raise Superseded
    finally:
        for task in (working, gone, *over):
            task.cancel()
        await asyncio.gather(working, gone, *over, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

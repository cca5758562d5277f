"""An engine that speaks vLLM's HTTP API and is told what to answer. The real one is met in the engine tier."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response

TEXT = "tide \u2028 gauge ü"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class ToldEngine:
    """Remembers what it was asked. `go_on` lets a stream pass its first event; `left` says that its client went away."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: tuple[int, Any] | None = None
        self.lets_go: tuple[str, Callable[[], None]] | None = None
        """A model that it no longer holds, and what happened meanwhile."""
        self.go_on = threading.Event()
        self.waits = False
        self.left = threading.Event()
        self.app = FastAPI()
        for path in ("/v1/chat/completions", "/v1/completions"):
            self.app.add_api_route(path, self._complete, methods=["POST"])

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append({"path": request.url.path, **body})
        if self.lets_go is not None and body["model"] == self.lets_go[0]:
            self.lets_go[1]()
            return JSONResponse({"error": {"message": f"The model {body['model']} does not exist."}}, 404)
        if self.answer is not None:
            status, content = self.answer
            return Response(content, status) if isinstance(content, bytes) else JSONResponse(content, status)
        if body.get("stream"):
            return StreamingResponse(self._events(request.url.path, body), media_type="text/event-stream")
        if self.waits:
            await self._until_left(request)
        choice = {"index": 0, "finish_reason": "stop", **_said(request.url.path, TEXT, "message")}
        return JSONResponse(
            {"id": "c", "model": body["model"], "choices": [choice], "usage": USAGE, "system_fingerprint": "vllm-0"}
        )

    async def _events(self, path: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
        try:
            for at in range(3):
                choice = {"index": 0, **_said(path, f"{TEXT}{at}", "delta")}
                event = {"id": "c", "model": asked["model"], "choices": [choice]}
                if at == 2:
                    event["system_fingerprint"] = "vllm-0"
                yield b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
                while not self.go_on.is_set():
                    await asyncio.sleep(0.01)
            if (asked.get("stream_options") or {}).get("include_usage"):
                last = {"id": "c", "model": asked["model"], "choices": [], "usage": USAGE}
                yield b"data: " + json.dumps(last).encode() + b"\n\n"
            yield b"data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def _until_left(self, request: Request) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        self.left.set()


def _said(path: str, text: str, form: str) -> dict[str, Any]:
    """A choice's text, where chats and completions have it."""
    return {form: {"role": "assistant", "content": text}} if "chat" in path else {"text": text}

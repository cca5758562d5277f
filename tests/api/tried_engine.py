"""Engines that speak vLLM's API, one for each setting, and the hands that serve a tuning's trials with them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.responses import Response

from shared.catalog.sql import SqlCatalog
from shared.clock import now
from shared.contracts.learning import DeploymentWish
from shared.ids import deployment_job
from tests.api.conftest import Server

SERVED = "lectern-0123456789abcdef"
TOO_LONG = "This model's maximum context length is 2048 tokens."


@dataclass
class TriedEngines:
    """Answers under `/<how>/v1/…`. Speed is told by the tokens that a stream says it had: no clock decides what is faster."""

    tokens: dict[str, int] = field(default_factory=lambda: {"plain": 100})
    """Tokens of an answer by how it is guessed: so many more than others have that no busy machine makes up for them."""
    parts: set[str] = field(default_factory=set)
    """Those that answer something else, far from the plain setting."""
    too_long: set[str] = field(default_factory=set)
    """Prompts that are refused."""
    mute: set[str] = field(default_factory=set)
    """Those whose answers hold none."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    guessed: int = 0
    waits: Event = field(default_factory=Event)
    """While it is set streams do not end."""

    def __post_init__(self) -> None:
        self.app = FastAPI()
        for path in ("/v1/chat/completions", "/v1/completions"):
            self.app.add_api_route("/{how}" + path, self._complete, methods=["POST"])
        self.app.add_api_route("/{how}/metrics", self._metrics, methods=["GET"])

    async def _metrics(self) -> Response:
        self.guessed += 10
        told = {"num_drafts": 1, "num_draft_tokens": self.guessed, "num_accepted_tokens": self.guessed * 3 // 5}
        lines = [
            f"# TYPE vllm:spec_decode_{name}_total counter\nvllm:spec_decode_{name}_total {count}"
            for name, count in told.items()
        ]
        return PlainTextResponse("\n".join(lines) + "\n")

    async def _complete(self, how: str, request: Request) -> Response:
        body = await request.json()
        self.asked.append({"how": how, "path": request.url.path, **body})
        said = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
        if said in self.too_long:
            return JSONResponse({"error": {"message": TOO_LONG}}, 400)
        if body.get("stream"):
            return StreamingResponse(self._events(how), media_type="text/event-stream")
        if how in self.mute:
            return JSONResponse({"choices": []})
        token = "token_id:9" if how in self.parts else "token_id:7"
        likeliest = {"token_id:7": -0.1, "token_id:9": -2.5}
        tops = [{"token": one, "logprob": value} for one, value in likeliest.items()]
        content = [{"token": token, "logprob": likeliest[token], "top_logprobs": tops}]
        told = {"content": content} if "messages" in body else {"tokens": [token], "top_logprobs": [likeliest]}
        return JSONResponse({"choices": [{"logprobs": told}]})

    async def _events(self, how: str) -> AsyncIterator[bytes]:
        yield b'data: {"choices": [{"text": "tide"}]}\n\n'
        while self.waits.is_set():
            await asyncio.sleep(0.01)
        usage = {"completion_tokens": self.tokens.get(how, 1)}
        yield b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n"


def how(wish: DeploymentWish) -> str:
    """An engine's setting as a segment of its URL."""
    arguments = [
        f"{name}-{value}"
        for name, value in wish.engine_arguments.model_dump(exclude={"schema_version"}).items()
        if value is not None
    ]
    guesses = [f"{wish.speculation.method}-{wish.speculation.tokens}"] if wish.speculation else []
    return "+".join([*guesses, *arguments]) or "plain"


@dataclass
class Serving:
    """Plays the serving service: deployments that are wished for become ready, but for those that are said to fail."""

    catalog: SqlCatalog
    url: str
    fails: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    most_trials: int = 0

    def look(self) -> None:
        views = self.catalog.deployments(trials=True)
        self.most_trials = max(self.most_trials, sum("+" in view.name for view in views))
        for view in views:
            if view.state != "pending":
                continue
            if "+" in view.name:
                self.tried.append(how(view.wish))
            failure = self.fails.get(how(view.wish))
            if failure is not None:
                self.catalog.observe_deployment(view.name, "failed", failure)
            else:
                self.catalog.observe_deployment(view.name, "ready", None, [f"{self.url}/{how(view.wish)}"], SERVED)
            self.catalog.finish_job(deployment_job(view.name, view.sequence), "done", None, None, now())


@contextmanager
def served_by(catalog: SqlCatalog, engines: TriedEngines) -> Iterator[Serving]:
    """Serving, as long as the context lasts."""
    server = Server(engines.app)
    serving, stop = Serving(catalog, server.url), Event()

    def run() -> None:
        while not stop.wait(0.01):
            serving.look()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield serving
    finally:
        stop.set()
        thread.join(20)
        engines.waits.clear()
        server.stop()

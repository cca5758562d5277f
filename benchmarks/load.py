"""What drives a served model: clients that stream, one after the other or many at once, and the figures of their answers."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Door:
    """Where a model is asked: through the gateway, or straight at the engine."""

    url: str
    model: str
    key: str = ""

    def client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=180, limits=limits, trust_env=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a completion of so many tokens, left after `leave` of them where that is set."""

    prompt: str
    tokens: int
    leave: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds to the first token, between tokens, and in all; `fault` names what went wrong."""

    first: float = 0.0
    between: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    fault: str | None = None


async def ask(client: httpx.AsyncClient, model: str, one: Ask) -> Answer:
    """Stream one answer. Every event but the last is a token of vLLM's."""
    body = {
        "model": model, "prompt": one.prompt, "max_tokens": one.tokens, "min_tokens": one.tokens, "temperature": 0,
        "stream": True,
    }  # fmt: skip
    began = time.perf_counter()
    times: list[float] = []
    try:
        async with client.stream("POST", "/v1/completions", json=body) as answer:
            if answer.status_code != 200:
                told = json.loads(await answer.aread() or b"{}").get("error", {})
                return Answer(fault=f"{answer.status_code} {told.get('code') or told.get('type')}")
            async for line in answer.aiter_lines():
                if line.startswith('data: {"error"'):
                    return Answer(fault=f"in the stream: {json.loads(line[6:])['error'].get('code')}")
                if line.startswith("data: {"):
                    times.append(time.perf_counter())
                if one.leave is not None and len(times) >= one.leave:
                    break
    except httpx.HTTPError as error:
        return Answer(fault=type(error).__name__)
    if not times:
        return Answer(fault="no token")
    between = (times[-1] - times[0]) / max(1, len(times) - 1)
    return Answer(times[0] - began, between, time.perf_counter() - began, len(times))


@dataclass(slots=True)
class Round:
    """Answers of one round, and how long it took."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> list[Answer]:
        return [one for one in self.answers if one.fault is None]

    @property
    def tokens_per_second(self) -> float:
        return sum(one.tokens for one in self.good) / self.seconds

    def quantile(self, of: Callable[[Answer], float], share: float) -> float:
        values = sorted(of(one) for one in self.good)
        return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")

    def told(self) -> dict[str, Any]:
        milliseconds = {
            f"{name}_p{int(100 * share)}_ms": round(1000 * self.quantile(of, share), 1)
            for name, of in (("ttft", _first), ("tpot", _between))
            for share in (0.5, 0.99)
        }
        faults = dict(Counter(one.fault for one in self.answers if one.fault))
        return {
            "answers": len(self.answers), "faults": faults, "tokens_per_second": round(self.tokens_per_second, 1),
            **milliseconds,
        }  # fmt: skip


def _first(one: Answer) -> float:
    return one.first


def _between(one: Answer) -> float:
    return one.between


async def drive(door: Door, asks: list[Ask], at_once: int) -> Round:
    """Work through the requests, so many at once."""
    waiting, done = iter(asks), Round()
    began = time.perf_counter()
    async with door.client() as client:

        async def work(mine: Iterator[Ask]) -> None:
            for one in mine:
                done.answers.append(await ask(client, door.model, one))

        await asyncio.gather(*(work(waiting) for _ in range(at_once)))
    done.seconds = time.perf_counter() - began
    return done


async def drive_for(door: Door, one: Ask, at_once: int, stopped: asyncio.Event, told: list[tuple[float, Answer]]) -> None:
    """Ask the same again and again until stopped; after a fault wait a tenth of a second. Answers with when they ended."""
    async with door.client() as client:

        async def work() -> None:
            while not stopped.is_set():
                answer = await ask(client, door.model, one)
                told.append((time.perf_counter(), answer))
                if answer.fault:
                    await asyncio.sleep(0.1)

        await asyncio.gather(*(work() for _ in range(at_once)))


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")

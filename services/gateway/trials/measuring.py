"""How a setting is measured: its engine asked as clients ask it, for greedy answers and for speed, alone and many at once."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import httpx

from services.gateway.engines import Target
from services.gateway.relay import rewritten
from services.gateway.trials.verdicts import LIKELIEST, Answer, answer_of
from shared.contracts.tunings import Load, TuningPrompt
from shared.engine_words import refusal
from shared.errors import LecternError

ANSWER_SECONDS = 600.0
PASSES_AT_ONCE = 2
"""Each of so many at once gets so many requests in a round, so that a round is not all beginning and end."""


class EngineLost(LecternError):
    """An engine did not answer as it should while it was measured."""

    code = "engine-lost"


@dataclass(frozen=True, slots=True)
class Refused:
    """A prompt that the engine does not take, and its words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Round:
    """Requests of one load, in seconds and tokens."""

    seconds: float
    tokens: int
    first_tokens: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one engine, though one that is shared may have replicas. `salt` is its own and no other's, since an engine may have
    been asked the same before: by an earlier trial, or an earlier tuning. `heard` is called after each answer, and may raise to
    end it."""

    target: Target
    headers: Mapping[str, str]
    answer_tokens: int
    salt: str
    heard: Callable[[], None]

    def greedy(self, prompts: Sequence[TuningPrompt]) -> list[Answer | Refused]:
        """Answers one after the other, with the likeliest tokens at each place; they warm the engine up. Raises EngineLost."""
        with httpx.Client(**self._place()) as client:
            return [self._said(client, one) for one in prompts]

    def round(self, prompts: Sequence[TuningPrompt], at_once: int, salt: str) -> Round:
        """Streams answers, so many at once: each prompt once where one at once is asked for. What was asked before is in no
        prefix cache for those with another `salt`, nor for a prompt that comes a second time. Raises EngineLost."""
        count = len(prompts) if at_once == 1 else max(len(prompts), PASSES_AT_ONCE * at_once)
        asked = [(prompts[at % len(prompts)], f"{salt}, {at // len(prompts)}") for at in range(count)]
        return asyncio.run(self._driven(asked, at_once))

    def _place(self) -> dict[str, Any]:
        return {"base_url": self.target.urls[0], "headers": self.headers, "timeout": ANSWER_SECONDS, "trust_env": False}

    def _said(self, client: httpx.Client, prompt: TuningPrompt) -> Answer | Refused:
        path, body = self._request(prompt, "greedy")
        chat = prompt.mode == "chat"
        wanted = {"logprobs": True, "top_logprobs": LIKELIEST} if chat else {"logprobs": LIKELIEST}
        try:
            answer = client.post(path, json={**body, **wanted, "return_tokens_as_token_ids": True})
            self.heard()
            if answer.status_code == httpx.codes.BAD_REQUEST:
                return Refused(refusal(answer.content, answer.status_code))
            return answer_of(answer.raise_for_status().json()["choices"][0])
        except (httpx.HTTPError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise _lost(error) from error

    def _request(self, prompt: TuningPrompt, salt: str) -> tuple[str, dict[str, Any]]:
        chat = prompt.mode == "chat"
        asked = {"messages": [{"role": "user", "content": prompt.prompt}]} if chat else {"prompt": prompt.prompt}
        body = {**asked, "max_tokens": self.answer_tokens, "temperature": 0, "cache_salt": f"{self.salt}, {salt}"}
        return "/v1/chat/completions" if chat else "/v1/completions", rewritten(body, self.target, chat)

    async def _driven(self, asked: Sequence[tuple[TuningPrompt, str]], at_once: int) -> Round:
        waiting, done = iter(asked), list[tuple[float, int]]()
        async with httpx.AsyncClient(**self._place(), limits=httpx.Limits(max_connections=None)) as client:

            async def work(mine: Iterator[tuple[TuningPrompt, str]]) -> None:
                for prompt, salt in mine:
                    done.append(await self._streamed(client, prompt, salt))
                    self.heard()

            began = time.perf_counter()
            await _all(work(waiting) for _ in range(at_once))
            seconds = time.perf_counter() - began
        return Round(seconds, sum(tokens for _, tokens in done), tuple(first for first, _ in done))

    async def _streamed(self, client: httpx.AsyncClient, prompt: TuningPrompt, salt: str) -> tuple[float, int]:
        """Seconds to the first token, and tokens in all, which the engine counts: an event may hold several."""
        path, body = self._request(prompt, salt)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        began, first, tokens = time.perf_counter(), None, 0
        try:
            async with client.stream("POST", path, json=body) as answer:
                answer.raise_for_status()
                async for event in _events(answer):
                    if first is None and _says(event):
                        first = time.perf_counter() - began
                    tokens = (event.get("usage") or {}).get("completion_tokens") or tokens
        except (httpx.HTTPError, ValueError) as error:
            raise _lost(error) from error
        if not tokens:
            raise EngineLost("the engine ended a stream without its count of tokens: see `lectern logs serving`")
        return first if first is not None else time.perf_counter() - began, tokens


def load(rounds: Sequence[Round]) -> Load:
    """Rounds of one load as figures."""
    speeds = [one.tokens / one.seconds for one in rounds]
    firsts = sorted(first for one in rounds for first in one.first_tokens)
    p99 = firsts[math.ceil(0.99 * len(firsts)) - 1]
    return Load(
        tokens_per_second=round(median(speeds), 2), rounds=tuple(round(speed, 3) for speed in speeds),
        first_token_seconds=round(median(firsts), 4), first_token_p99_seconds=round(p99, 4), requests=len(firsts),
    )  # fmt: skip


async def _all(works: Iterator[Coroutine[Any, Any, None]]) -> None:
    """All of them, or the first error, with the others ended."""
    tasks = [asyncio.ensure_future(one) for one in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def _says(event: dict[str, Any]) -> bool:
    """Whether an event holds text: a chat's first holds its role alone."""
    return any((one.get("delta") or {}).get("content") or one.get("text") for one in event.get("choices") or ())


def _lost(error: Exception) -> EngineLost:
    told = f"status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else type(error).__name__
    return EngineLost(f"the engine did not answer while it was measured ({told}): see `lectern logs serving`")

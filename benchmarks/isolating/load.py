"""Clients that ask without a pause under every name, and hold each answer to the adapter that the name stands for."""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.isolating.marked import MARKS, NONE, WORDS
from benchmarks.load import Door

TOKENS = 8
PREFIX_WORDS, PREFIXES, TAIL_WORDS = 300, 3, 20
"""Prompts that begin alike under every name, longer than a block of the cache, so that one adapter's blocks are there to be
mistaken for another's."""
_MARK = "|".join((*MARKS, NONE))
_SAID = re.compile(rf"({_MARK})\.({_MARK})")


@dataclass(slots=True)
class Seen:
    """What was answered, by name."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By the name asked and what was said."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_mark: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        return self.right.total() + self.wrong.total()

    def note(self, name: str, text: str, mark: str | None) -> None:
        """An answer under a name, and the mark that was found good."""
        if mark is None:
            self.wrong[name, text[:60]] += 1
        else:
            self.right[name] += 1
            self.by_mark[mark] += 1

    def told(self, seconds: float) -> dict[str, Any]:
        return {
            "answers": self.answers, "answers_per_second": round(self.answers / seconds, 1), "by_name": dict(self.right),
            "by_mark": dict(self.by_mark), "wrong": {" / ".join(one): count for one, count in self.wrong.items()},
            "refused": {" / ".join(one): count for one, count in self.refused.items()},
        }  # fmt: skip


def judge(text: str, allowed: frozenset[str]) -> str | None:
    """The mark of an answer that bears one alone, in its cache and in its tokens, and one that is allowed; else None."""
    found = {(one[1], one[2]) for one in _SAID.finditer(text)}
    if len(found) != 1:
        return None
    cached, fresh = next(iter(found))
    return fresh if cached == fresh and fresh in allowed else None


def prompts(seed: int) -> list[str]:
    """The beginnings that all names share."""
    chance = random.Random(seed)
    return [_words(chance, PREFIX_WORDS) for _ in range(PREFIXES)]


async def ask_for(
    door: Door, names: Mapping[str, frozenset[str]], models: Mapping[str, str], at_once: int, stopped: asyncio.Event, seen: Seen
) -> None:
    """Ask under a name at random, every other time as a stream, until stopped. `names` says which marks a name may mean;
    `models` gives the mark of each model's id, which has to be that of the model that an answer says it is of."""
    chance, beginnings = random.Random(1), prompts(0)
    async with door.client() as client:

        async def work() -> None:
            while not stopped.is_set():
                name = chance.choice(list(names))
                prompt = f"{chance.choice(beginnings)} {_words(chance, TAIL_WORDS)}"
                why, text, version = await _ask(client, name, prompt, chance.random() < 0.5)
                if why is not None:
                    seen.refused[name, why] += 1
                    await asyncio.sleep(0.02)
                else:
                    mark = judge(text, names[name])
                    seen.note(name, f"{version}: {text}", mark if models.get(version) == mark else None)

        await asyncio.gather(*(work() for _ in range(at_once)))


async def _ask(client: httpx.AsyncClient, name: str, prompt: str, stream: bool) -> tuple[str | None, str, str]:
    """Why it was not answered, or the answer and the model that it says it is of."""
    body = {"model": name, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "stream": stream}
    try:
        answer = await client.post("/v1/completions", json=body)
    except httpx.HTTPError as error:
        return type(error).__name__, "", ""
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code} {answer.json()['error']['code']}", "", ""
    lines = answer.text.splitlines() if stream else [f"data: {answer.text}"]
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    failed = next((one["error"]["code"] for one in events if "error" in one), None)
    text = " ".join(choice["text"] for one in events for choice in one.get("choices", ()))
    return failed, text, answer.headers["X-Lectern-Model"]


def _words(chance: random.Random, count: int) -> str:
    return " ".join(f"w{chance.randrange(WORDS)}" for _ in range(count))

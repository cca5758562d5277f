"""An engine of a deployment killed while clients ask without a pause: who is told an error, and for how long nobody is
answered."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx

from benchmarks.isolating.load import judge
from benchmarks.isolating.marked import MARKS
from benchmarks.isolating.place import ENGINE, READY_SECONDS, Place
from benchmarks.load import Door
from tests.servers import wait_until

NAME, MARK = "steady", MARKS[0]
BEFORE_SECONDS, AFTER_SECONDS = 5.0, 3.0
TOKENS = 96
BREATH_SECONDS = 0.05
"""A client that was told an error asks again after so long."""


@dataclass(frozen=True, slots=True)
class Told:
    """One request: when it ended, and the error that it was told, or None."""

    at: float
    fault: str | None


def deploy(place: Place, replicas: int) -> None:
    """The mark's model from so many replicas, all of which answer."""
    served = {"model": place.models[MARK].id, "replicas": replicas, "engine_arguments": ENGINE}
    place.request("POST", "/v1/deployments", {"name": NAME, **served})
    wait_until(lambda: len(endpoints(place)) == replicas, f"{replicas} replicas", READY_SECONDS)


def endpoints(place: Place) -> list[str]:
    return list(place.request("GET", f"/v1/deployments/{NAME}")["endpoints"])


async def killed(place: Place, replicas: int, at_once: int) -> dict[str, Any]:
    """Ask, kill the first engine (-9), ask on until it is back with its adapter, and a little longer."""
    told: list[Told] = []
    stopped = asyncio.Event()
    load = asyncio.create_task(_load(Door(place.url, NAME, place.key), at_once, stopped, told))
    await asyncio.sleep(BEFORE_SECONDS)
    victim = next(one for one in place.serving.engines() if one.replica == 0)
    moment = time.perf_counter()
    os.killpg(victim.process.pid, signal.SIGKILL)
    back = await asyncio.to_thread(_back, place, victim.endpoint, replicas)
    await asyncio.sleep(AFTER_SECONDS)
    stopped.set()
    await load
    good = sorted(one.at - moment for one in told if one.fault is None)
    faults = [one for one in told if one.fault is not None]
    after = [0.0, *(at for at in good if at > 0)]
    return {
        "replicas": replicas, "at_once": at_once, "answers": len(good), "failed": len(faults),
        "faults": dict(Counter(one.fault for one in faults)), "all_back_after_s": round(back - moment, 1),
        "answers_while_it_was_away": sum(0 < at < back - moment for at in good),
        "last_fault_after_s": round(max((one.at - moment for one in faults), default=0.0), 2),
        "longest_without_an_answer_s": round(max(b - a for a, b in pairwise(after)), 2),
    }  # fmt: skip


def _back(place: Place, gone: str, replicas: int) -> float:
    def there() -> bool:
        found = endpoints(place)
        return gone not in found and len(found) == replicas

    wait_until(there, "the engine that was killed", READY_SECONDS)
    return time.perf_counter()


async def _load(door: Door, at_once: int, stopped: asyncio.Event, told: list[Told]) -> None:
    chance = random.Random(3)
    async with door.client() as client:

        async def work() -> None:
            while not stopped.is_set():
                fault = await _ask(client, f"w{chance.randrange(100)} w2", chance.random() < 0.5)
                told.append(Told(time.perf_counter(), fault))
                if fault is not None:
                    await asyncio.sleep(BREATH_SECONDS)

        await asyncio.gather(*(work() for _ in range(at_once)))


async def _ask(client: httpx.AsyncClient, prompt: str, stream: bool) -> str | None:
    body = {"model": NAME, "prompt": prompt, "max_tokens": TOKENS, "min_tokens": TOKENS, "temperature": 0, "stream": stream}
    answer = await client.post("/v1/completions", json=body)
    if answer.status_code != httpx.codes.OK:
        return str(answer.json()["error"]["code"])
    lines = answer.text.splitlines() if stream else [f"data: {answer.text}"]
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    failed = next((str(one["error"]["code"]) for one in events if "error" in one), None)
    text = " ".join(choice["text"] for one in events for choice in one.get("choices", ()))
    return failed or (None if judge(text, frozenset({MARK})) else "wrong")

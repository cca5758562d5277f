"""`make bench-serving`: a served model under load, through the gateway and straight at its engine, in one run.

It works on what runs under --home (`lectern demo --keep-running` leaves such a thing), and leaves it running. Rounds through
the gateway and straight at the engine alternate, so that a machine that grows slower is slower for both.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import Answer, Ask, Door, Round, drive, drive_for, median

PROSE = "The tide gauge in the harbour is read twice a day, and"
CODE = "def mean(values):\n    total = "
ROUNDS, REQUESTS, TOKENS, AT_ONCE = 4, 64, 48, 32
SLOW_CLIENTS = 1_000


class Place:
    """A running installation: its gateway, a deployment of it, and the engine behind that."""

    def __init__(self, home: Path, name: str | None) -> None:
        self.home = home
        self.key = (home / "key").read_text().strip()
        self.server = (home / "run" / "server").read_text().strip()
        ready = [one for one in self.get("/v1/deployments")["items"] if one["state"] == "ready"]
        wanted = [one for one in ready if name in (None, one["name"])]
        if not wanted:
            raise SystemExit(f"No deployment {name or ''} is ready under {home}; `lectern deployments --home {home}`.")
        self.name: str = wanted[0]["name"]
        self.model: str | None = wanted[0]["wish"]["model"]
        self.base: str = wanted[0]["wish"]["base"]
        self.gateway = Door(self.server, self.name, self.key)
        self.straight = Door(wanted[0]["endpoints"][0], wanted[0]["served_model"])

    def request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(
            method, self.server + path, json=body, headers=headers, timeout=60, trust_env=False
        ).raise_for_status().json()  # fmt: skip

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def engine(self) -> int:
        """The pid of the engine's group."""
        record = self.home / "run" / "engines" / f"{self.base}.json"
        return int(json.loads(record.read_bytes())["process"]["pid"])

    def running(self) -> float:
        """Requests that the engine works on just now."""
        lines = httpx.get(f"{self.straight.url}/metrics", timeout=10, trust_env=False).text.splitlines()
        return sum(float(one.rsplit(" ", 1)[1]) for one in lines if one.startswith("vllm:num_requests_running"))


def asks(prompt: str, count: int, tokens: int, leave: Callable[[int], int | None] = lambda _: None) -> list[Ask]:
    """Prompts that begin alike and end apart, so that no answer is another's."""
    return [Ask(f"{prompt} {at}", tokens, leave(at)) for at in range(count)]


async def overhead(place: Place) -> dict[str, Any]:
    """Throughput at 32 at once and the first token's wait at one, through the gateway and straight."""
    rounds: dict[str, list[Round]] = {"gateway": [], "straight": []}
    alone: dict[str, list[float]] = {"gateway": [], "straight": []}
    doors = {"gateway": place.gateway, "straight": place.straight}
    for door in doors.values():
        await drive(door, asks(PROSE, AT_ONCE, 8), AT_ONCE)
    for at in range(ROUNDS):
        for name in list(doors) if at % 2 else list(reversed(doors)):
            rounds[name].append(await drive(doors[name], asks(PROSE, REQUESTS, TOKENS), AT_ONCE))
            alone[name] += [one.first for one in (await drive(doors[name], asks(CODE, 20, 1), 1)).good]
    speed = {name: median([one.tokens_per_second for one in found]) for name, found in rounds.items()}
    merged = {name: Round([one for each in found for one in each.answers], 1.0) for name, found in rounds.items()}
    many = {name: 1000 * one.quantile(lambda answer: answer.first, 0.5) for name, one in merged.items()}
    first = {name: 1000 * median(found) for name, found in alone.items()}
    return {
        "tokens_per_second": speed, "ratio": speed["gateway"] / speed["straight"],
        "ratios_by_round": [
            a.tokens_per_second / b.tokens_per_second for a, b in zip(rounds["gateway"], rounds["straight"], strict=True)
        ],
        "ttft_alone_ms": first, "added_ttft_alone_ms": first["gateway"] - first["straight"],
        "ttft_32_at_once_ms": many, "added_ttft_32_at_once_ms": many["gateway"] - many["straight"],
        "faults": {name: one.told()["faults"] for name, one in merged.items()},
    }  # fmt: skip


async def batching(place: Place) -> dict[str, Any]:
    one = await drive(place.straight, asks(PROSE, 8, TOKENS), 1)
    many = await drive(place.straight, asks(PROSE, REQUESTS, TOKENS), AT_ONCE)
    return {"alone": one.told(), "32_at_once": many.told(), "ratio": many.tokens_per_second / one.tokens_per_second}


async def patterns(place: Place) -> dict[str, Any]:
    """Chat, and an editor's completions, short and many, of which every third is left after two tokens."""
    chat = await drive(place.gateway, asks(PROSE, 32, 96), 8)
    code = await drive(place.gateway, asks(CODE, 120, 16, lambda at: 2 if at % 3 == 0 else None), 16)
    began = time.perf_counter()
    while place.running() and time.perf_counter() - began < 30:
        await asyncio.sleep(0.05)
    return {"chat": chat.told(), "code": code.told(), "engine_idle_after_s": time.perf_counter() - began}


async def under_load(place: Place, change: Callable[[], float | None], seconds: float, at_once: int = 8) -> dict[str, Any]:
    """Clients that ask without a pause while something happens. `change` returns seconds that it took, if it knows."""
    told: list[tuple[float, Answer]] = []
    stopped = asyncio.Event()
    load = asyncio.create_task(drive_for(place.gateway, Ask(PROSE, 24), at_once, stopped, told))
    await asyncio.sleep(5)
    at = time.perf_counter()
    took = await asyncio.to_thread(change)
    await asyncio.sleep(seconds)
    stopped.set()
    await load
    faults = [(when - at, one.fault) for when, one in told if one.fault]
    good = [when - at for when, one in told if one.fault is None and when > at]
    lost = [fault for _, fault in faults if fault and ("in the stream" in fault or "lost" in fault or "Error" in fault)]
    return {
        "answers": len(told), "failed": len(faults), "in_flight_lost": len(lost),
        "faults": dict(Counter(fault for _, fault in faults)), "change_took_s": took,
        "first_good_answer_after_s": min(good, default=None),
        "last_fault_after_s": max((when for when, _ in faults), default=None),
    }  # fmt: skip


def replace_by(place: Place, model: str | None) -> float:
    """Wish for another model under the same name; seconds until it is what answers."""
    began = time.perf_counter()
    wish = {"name": place.name, "model": model} if model else {"name": place.name, "model": None, "base": place.base}
    place.request("POST", "/v1/deployments", wish)
    while time.perf_counter() - began < 300:
        view = place.get(f"/v1/deployments/{place.name}")
        if view["state"] == "ready" and view["wish"]["model"] == model:
            return time.perf_counter() - began
        time.sleep(0.2)
    raise SystemExit(f"{place.name} was not replaced in 5 minutes")


async def replace(place: Place) -> dict[str, Any]:
    """The model by its base, and the base by the model again, both under load."""
    if place.model is None:
        return {"skipped": f"{place.name} serves a base alone: deploy a tuned model under that name"}
    by_base = await under_load(place, lambda: replace_by(place, None), 5)
    return {"by_its_base": by_base, "by_the_model": await under_load(place, lambda: replace_by(place, place.model), 5)}


def kill_engine(place: Place) -> None:
    os.killpg(place.engine(), signal.SIGKILL)


async def slow_clients(place: Place) -> dict[str, Any]:
    """A thousand connections that never finish their request; what another client sees meanwhile, and afterwards."""
    host, port = place.server.removeprefix("http://").split(":")
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {place.key}\r\nContent-Length: 1000\r\n\r\n{{"
    )
    opened = []
    for _ in range(SLOW_CLIENTS):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        opened.append((reader, writer))
    beside = await drive(place.gateway, asks(PROSE, 8, 16), 4)
    for _, writer in opened:
        writer.close()
    after = await drive(place.gateway, asks(PROSE, 8, 16), 4)
    return {"connections": len(opened), "beside": beside.told(), "after": after.told()}


async def measured(place: Place, only: str) -> dict[str, Any]:
    parts: dict[str, Callable[[], Any]] = {
        "overhead": lambda: overhead(place),
        "batching": lambda: batching(place),
        "patterns": lambda: patterns(place),
        "slow clients": lambda: slow_clients(place),
        "replace": lambda: replace(place),
        "kill": lambda: under_load(place, lambda: kill_engine(place), 120),
    }
    told: dict[str, Any] = {"load_at_first": os.getloadavg()[0]}
    for name, part in parts.items():
        if only in name:
            told[name] = await part()
            print(json.dumps({name: told[name]}, indent=1), flush=True)
    return {**told, "load_at_last": os.getloadavg()[0]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("~/.lectern-demo").expanduser())
    parser.add_argument("--deployment", help="the deployment to load; the first that is ready without it")
    parser.add_argument("--only", default="", help="parts whose name holds this")
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    wanted = parser.parse_args()
    place = Place(wanted.home, wanted.deployment)
    told = asyncio.run(measured(place, wanted.only))
    if wanted.out:
        wanted.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

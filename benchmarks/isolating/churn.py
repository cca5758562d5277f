"""What happens to the deployments meanwhile: adapters let go and loaded again, and a name that means now one, now another."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.isolating.load import Seen, ask_for
from benchmarks.isolating.place import Place
from benchmarks.load import Door

NAMES: Mapping[str, frozenset[str]] = {
    "steady": frozenset({"red"}), "coming": frozenset({"green"}), "going": frozenset({"blue"}),
    "moving": frozenset({"amber", "blue"}),
}  # fmt: skip
"""Deployments, and the marks that may answer under each."""


@dataclass(slots=True)
class Turns:
    """So many adapters were let go and loaded again, and so many times a name got another model."""

    reloaded: int = 0
    moved: int = 0


async def disturbed(place: Place, seconds: float, at_once: int) -> dict[str, Any]:
    """Load on all names while they change; the figures of it."""
    for name, mark in (("steady", "red"), ("coming", "green"), ("going", "blue"), ("moving", "amber")):
        place.deploy(name, mark)
    seen, turns, stopped = Seen(), Turns(), asyncio.Event()
    models = {model.id: mark for mark, model in place.models.items()}
    load = asyncio.create_task(ask_for(Door(place.url, "", place.key), NAMES, models, at_once, stopped, seen))
    began = time.perf_counter()
    try:
        await asyncio.to_thread(_change, place, turns, began + seconds)
    finally:
        stopped.set()
        await load
    took = time.perf_counter() - began
    return {
        "seconds": round(took, 1), "at_once": at_once, **seen.told(took), "reloaded": turns.reloaded, "moved": turns.moved,
        "adapters_loaded": place.told("adapter.loaded"), "adapters_unloaded": place.told("adapter.unloaded"),
        "prefix_cache": _prefix_cache(place),
    }  # fmt: skip


def _change(place: Place, turns: Turns, until: float) -> None:
    while time.perf_counter() < until:
        for name, mark in (("coming", "green"), ("going", "blue")):
            if name == "going":
                place.deploy("moving", "amber")
                turns.moved += 1
            place.stop(name)
            place.deploy(name, mark)
            turns.reloaded += 1
        place.deploy("moving", "blue")
        turns.moved += 1


def _prefix_cache(place: Place) -> dict[str, int]:
    """Prompt tokens that were looked for in the cache, and found: had none been found, none could have been another's."""
    endpoint = place.request("GET", "/v1/deployments/steady")["endpoints"][0]
    lines = httpx.get(f"{endpoint}/metrics", timeout=30, trust_env=False).text.splitlines()
    counts = {name: [one for one in lines if one.startswith(f"vllm:prefix_cache_{name}_total")] for name in ("queries", "hits")}
    return {name: int(sum(float(one.rsplit(" ", 1)[1]) for one in found)) for name, found in counts.items()}

"""Two replicas on a real vLLM, asked through the gateway, on a model whose answers tell whose they are."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.isolating.killed import NAME, deploy, endpoints, killed
from benchmarks.isolating.place import Place, open_place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 8


@pytest.fixture(scope="module")
def place(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("replicas"), vllm) as opened:
        yield opened


def answered(endpoint: str) -> float:
    """Requests that an engine has finished, as it tells."""
    lines = httpx.get(f"{endpoint}/metrics", timeout=30, trust_env=False).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:request_success_total"))


def test_a_replica_that_is_killed_takes_with_it_what_it_was_answering_and_nothing_else(place: Place) -> None:
    deploy(place, 2)
    told = asyncio.run(killed(place, 2, AT_ONCE))
    assert set(told["faults"]) <= {"engine_lost", "engine_unreachable"}, told
    assert told["failed"] <= AT_ONCE // 2 + 1, f"the other half was elsewhere: {told}"
    assert told["answers_while_it_was_away"] > AT_ONCE, told
    served = place.request("GET", f"/v1/deployments/{NAME}")["served_model"]
    for endpoint in endpoints(place):
        assert served in place.loaded(endpoint), "it came back with its adapter"
        assert answered(endpoint) > 1, "and is asked again"

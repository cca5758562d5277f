"""Requests spread over the replicas of a deployment, and what becomes of them where one of these does not answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from shared.contracts.learning import DeploymentWish
from tests.api.conftest import BASE, Gateway, Server
from tests.api.engine import ToldEngine
from tests.servers import free_port

PROMPT = {"model": "plain", "prompt": "p"}
STREAM = {**PROMPT, "stream": True}


@pytest.fixture
def engines() -> Iterator[list[tuple[ToldEngine, str]]]:
    told = [ToldEngine(), ToldEngine()]
    servers = [Server(one.app) for one in told]
    yield [(one, server.url) for one, server in zip(told, servers, strict=True)]
    for one, server in zip(told, servers, strict=True):
        one.go_on.set()
        server.stop()


@pytest.fixture
def pair(gateway: Gateway, engines: list[tuple[ToldEngine, str]]) -> tuple[ToldEngine, ToldEngine]:
    """A base deployed as `plain`, from two replicas."""
    wish = DeploymentWish(name="plain", model=None, base=BASE, replicas=2, wished_at="2026-01-01T00:00:00Z")
    gateway.parts.records.wish_deployment(wish)
    point(gateway, *(url for _, url in engines))
    return engines[0][0], engines[1][0]


def point(gateway: Gateway, *urls: str) -> None:
    gateway.catalog.observe_deployment("plain", "ready", None, urls, BASE, BASE)


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post("/v1/completions", json={**PROMPT, **more})


def test_requests_are_shared_evenly(pair: tuple[ToldEngine, ToldEngine], client: httpx.Client) -> None:
    assert all(ask(client).status_code == 200 for _ in range(20))
    assert [len(one.asked) for one in pair] == [10, 10]


def test_a_request_goes_where_the_fewest_are_in_flight_until_their_streams_end(
    pair: tuple[ToldEngine, ToldEngine], client: httpx.Client
) -> None:
    busy, idle = pair
    with ExitStack() as rest:
        streams: list[tuple[int, Iterator[bytes]]] = []
        for _ in range(4):
            answer = rest.enter_context(client.stream("POST", "/v1/completions", json=STREAM))
            raw = answer.iter_raw()
            next(raw)
            streams.append((len(idle.asked), raw))
        assert [len(one.asked) for one in pair] == [2, 2]
        idle.go_on.set()
        for (before, _), (after, raw) in pairwise([(0, iter(())), *streams]):
            if after > before:
                b"".join(raw)
        assert all(ask(client).status_code == 200 for _ in range(6))
        assert [len(one.asked) for one in pair] == [2, 8]
        busy.go_on.set()


def test_a_client_that_leaves_gives_its_place_back(pair: tuple[ToldEngine, ToldEngine], client: httpx.Client) -> None:
    for _ in range(4):
        with client.stream("POST", "/v1/completions", json=STREAM) as answer:
            next(answer.iter_raw())
    assert all(one.left.wait(20) for one in pair)
    for one in pair:
        one.asked.clear()
    assert all(ask(client).status_code == 200 for _ in range(10))
    assert [len(one.asked) for one in pair] == [5, 5]


@pytest.mark.parametrize("stream", [False, True])
def test_a_replica_that_is_gone_costs_nobody_an_error(
    pair: tuple[ToldEngine, ToldEngine], engines: list[tuple[ToldEngine, str]], gateway: Gateway, client: httpx.Client,
    stream: bool,
) -> None:  # fmt: skip
    point(gateway, f"http://127.0.0.1:{free_port()}", engines[1][1])
    pair[1].go_on.set()
    assert [ask(client, stream=stream).status_code for _ in range(10)] == [200] * 10
    assert len(pair[1].asked) == 10


@pytest.mark.parametrize("stream", [False, True])
def test_a_replica_that_does_not_hold_the_model_yet_is_passed_over_and_left_alone_for_a_while(
    pair: tuple[ToldEngine, ToldEngine], client: httpx.Client, stream: bool
) -> None:
    pair[0].answer = (404, {"error": {"message": f"The model {BASE} does not exist."}})
    pair[1].go_on.set()
    assert [ask(client, stream=stream).status_code for _ in range(10)] == [200] * 10
    assert (len(pair[0].asked), len(pair[1].asked)) == (1, 10)


def test_where_no_replica_answers_it_is_told_once_they_were_all_tried(
    pair: tuple[ToldEngine, ToldEngine], gateway: Gateway, client: httpx.Client
) -> None:
    for one in pair:
        one.answer = (404, {"error": {"message": "The model does not exist."}})
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_ready") and "retry-after" in answer.headers
    assert [len(one.asked) for one in pair] == [1, 1]
    point(gateway, *(f"http://127.0.0.1:{free_port()}" for _ in range(2)))
    assert ask(client).json()["error"]["code"] == "engine_unreachable"


@pytest.mark.parametrize("answer", [(400, {"error": {"message": "too long"}}), (500, {"error": {"message": "broken"}})])
def test_what_an_engine_refuses_or_fails_at_is_not_asked_of_another(
    pair: tuple[ToldEngine, ToldEngine], client: httpx.Client, answer: tuple[int, Any]
) -> None:
    for one in pair:
        one.answer = answer
    assert ask(client).status_code in (400, 502)
    assert sum(len(one.asked) for one in pair) == 1


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'data: {"id":"c","model":"m","choices":[]}\n\n'


@contextmanager
def dying(said: bytes) -> Iterator[tuple[str, list[int]]]:
    """An engine that takes a request, says so much, and goes away."""
    taken: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    taken.append(len(connection.recv(65_536)))
                    connection.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(20)


def test_a_request_that_its_engine_went_away_with_is_not_sent_after_it(
    pair: tuple[ToldEngine, ToldEngine], engines: list[tuple[ToldEngine, str]], gateway: Gateway, client: httpx.Client
) -> None:
    with dying(b"") as (url, taken):
        point(gateway, url, engines[1][1])
        answers = [ask(client) for _ in range(4)]
    assert [(one.status_code == 503, one.status_code == 200) for one in answers].count((True, False)) == len(taken) > 0
    assert len(pair[1].asked) == 4 - len(taken), "what may have ended one engine is not given to another"


def test_a_stream_that_has_begun_is_not_begun_again_elsewhere(
    pair: tuple[ToldEngine, ToldEngine], engines: list[tuple[ToldEngine, str]], gateway: Gateway, client: httpx.Client
) -> None:
    with dying(BEGUN + f"{len(EVENT):x}\r\n".encode() + EVENT + b"\r\n") as (url, _):
        point(gateway, url, f"http://127.0.0.1:{free_port()}")
        with client.stream("POST", "/v1/completions", json=STREAM) as answer:
            lost = answer.read()
    assert b'"choices":[]' in lost and b'"code":"engine_lost"' in lost
    assert not pair[0].asked and not pair[1].asked

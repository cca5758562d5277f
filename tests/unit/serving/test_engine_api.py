"""How patiently an engine is asked: over real sockets, one of which takes no connection."""

import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from services.serving.adapters.engine_api import EngineApi
from services.serving.adapters.lora import StoredAdapter
from services.serving.adapters.pod_adapters import bring_adapter
from shared.errors import Unavailable
from tests.servers import wait_until

PATIENCE = 600.0
"""Seconds for which an answer is waited for: more than any test may take."""

SOON = 0.2
STORED = StoredAdapter(model="m", key="0" * 64, digest="1" * 64)


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a server whose queue is full: what is sent to it is lost, as to a node that is gone."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda port: EngineApi(f"http://127.0.0.1:{port}", SOON).load_adapter("a", "/a", PATIENCE),
        lambda port: bring_adapter("127.0.0.1", STORED, {}, PATIENCE, SOON),
    ],
    ids=["engine", "pod"],
)
def test_a_connection_is_not_waited_for_as_long_as_an_answer(
    ask: Callable[[int], object], full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.serving.adapters.pod_adapters.PORT", full)
    raised: list[BaseException | None] = []

    def tries() -> None:
        with pytest.raises(Unavailable) as told:
            ask(full)
        raised.append(told.value.__cause__)

    threading.Thread(target=tries, daemon=True).start()
    wait_until(lambda: raised, "the connection to be given up", seconds=30)
    assert isinstance(raised[0], httpx.ConnectTimeout)


def test_an_engine_that_takes_its_time_to_load_an_adapter_is_waited_for() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        told: list[str] = []

        def loads() -> None:
            EngineApi(f"http://127.0.0.1:{server.getsockname()[1]}", SOON).load_adapter("a", "/a", PATIENCE)
            told.append("loaded")

        asking = threading.Thread(target=loads, daemon=True)
        asking.start()
        connection, _ = server.accept()
        asking.join(5 * SOON)
        assert asking.is_alive() and not told
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        wait_until(lambda: told, "the engine's answer to be taken", seconds=30)
        connection.close()

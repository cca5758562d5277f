"""What every object store must do, run against a local directory and a real S3 server."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.documents import Membership
from shared.errors import AlreadyExists, NotFound
from shared.objects import ObjectStore, Series, create_contract, read_contract


def test_what_was_created_is_read_back(any_store: ObjectStore) -> None:
    any_store.create("a/b.json", b"text")
    assert any_store.read("a/b.json") == b"text"
    assert any_store.size("a/b.json") == 4
    assert any_store.read_range("a/b.json", 1, 3) == b"ex"
    assert b"".join(any_store.stream("a/b.json")) == b"text"


def test_an_object_is_created_only_once(any_store: ObjectStore) -> None:
    any_store.create("once", b"first")
    with pytest.raises(AlreadyExists):
        any_store.create("once", b"second")
    assert any_store.read("once") == b"first"


def test_of_many_concurrent_creations_one_wins(any_store: ObjectStore) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            any_store.create("contested", str(number).encode())
        except AlreadyExists:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert any_store.read("contested") == str(won[0]).encode()


def test_what_is_not_there_is_not_found(any_store: ObjectStore, tmp_path: Path) -> None:
    assert any_store.size("nothing") is None
    with pytest.raises(NotFound):
        any_store.read("nothing")
    with pytest.raises(NotFound):
        any_store.read_range("nothing", 0, 1)
    with pytest.raises(NotFound):
        any_store.download("nothing", tmp_path / "file")
    any_store.delete("nothing")


def test_a_file_survives_upload_and_download(any_store: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    source.write_bytes(bytes(range(256)) * 80_000)
    file = any_store.upload("big", source)
    any_store.download("big", target)
    assert file.size_bytes == 256 * 80_000
    assert target.read_bytes() == source.read_bytes()


def test_an_empty_file_survives_upload_and_download(any_store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert any_store.upload("empty", tmp_path / "empty").size_bytes == 0
    assert any_store.read("empty") == b""


def test_a_list_holds_what_lies_under_the_prefix_and_no_neighbour(any_store: ObjectStore) -> None:
    for path in ("shelf/1.json", "shelf/deep/2.json", "shelf-two/3.json"):
        any_store.create(path, b"{}")
    assert sorted(any_store.list("shelf")) == ["shelf/1.json", "shelf/deep/2.json"]
    assert list(any_store.list("nowhere")) == []


def test_a_copy_outlives_its_source(any_store: ObjectStore) -> None:
    any_store.create("here", b"bytes")
    any_store.copy("here", "there")
    any_store.delete("here")
    assert any_store.read("there") == b"bytes"
    assert any_store.size("here") is None


def test_blocks_are_received_as_they_arrive(any_store: ObjectStore) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        for number in range(20):
            yield bytes([number]) * (1 << 20)

    asyncio.run(any_store.receive("received", blocks()))
    assert any_store.size("received") == 20 << 20
    assert any_store.read_range("received", (7 << 20) - 1, (7 << 20) + 1) == b"\x06\x07"


def test_a_broken_reception_leaves_nothing(any_store: ObjectStore) -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield b"x" * (1 << 20)
        raise ConnectionResetError("the sender went away")

    with pytest.raises(ConnectionResetError):
        asyncio.run(any_store.receive("broken", blocks()))
    assert any_store.size("broken") is None


@pytest.mark.parametrize("path", ["../outside", "a/../../outside"])
def test_no_path_leads_out_of_the_store(any_store: ObjectStore, path: str) -> None:
    with pytest.raises(Exception):  # noqa: B017 - each backend has a type of its own
        any_store.create(path, b"")


def _membership(number: int) -> Membership:
    return Membership(collection="c", document=str(number), filename="f", added_at="t")


def test_a_contract_is_read_as_it_was_created(any_store: ObjectStore) -> None:
    assert create_contract(any_store, "m.json", _membership(1))
    assert not create_contract(any_store, "m.json", _membership(2))
    assert read_contract(any_store, "m.json", Membership) == _membership(1)
    assert read_contract(any_store, "none.json", Membership) is None


def test_a_series_keeps_every_value_and_counts_the_last(any_store: ObjectStore) -> None:
    series = Series(any_store, "series")
    assert series.latest(Membership) is None
    assert [series.append(_membership(number)) for number in range(3)] == [1, 2, 3]
    assert series.latest(Membership) == (3, _membership(2))
    assert series.first(Membership) == (1, _membership(0))


def test_concurrent_appends_lose_nothing(any_store: ObjectStore) -> None:
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: numbers.append(Series(any_store, "many").append(_membership(n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 9))

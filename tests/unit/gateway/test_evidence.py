"""The evidence index: bounded, and read from the store a chunk at a time."""

import threading
from pathlib import Path

import pytest

from services.gateway.chunk_index import Index, build_index
from services.gateway.evidence import EvidenceShelf
from shared import layout
from shared.contracts.documents import Chunk, Span
from shared.contracts.work import Manifest
from shared.errors import NotFound, NotReady, Unsupported
from shared.objects import ObjectStore, create_contract
from tests.servers import wait_until


def put_dataset(store: ObjectStore, tmp_path: Path, key: str, texts: list[str], end: str = "\n") -> str:
    """A committed dataset of one document, all of its chunks trained on."""
    files = {}
    chunks = [
        Chunk(id=str(at), document="d", index=at, text=text, tokens=1, spans=(Span(page=at + 1, box=None, start=0, end=1),))
        for at, text in enumerate(texts)
    ]
    contents = {
        "chunks.jsonl": "\n".join(chunk.model_dump_json() for chunk in chunks) + end,
        "train.jsonl": "\n".join(f'{{"chunk":"{chunk.id}"}}' for chunk in chunks),
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        files[name] = store.upload(layout.attempt_file("dataset", key, "a", name), tmp_path / name)
    manifest = Manifest(
        stage="dataset", stage_version=1, key=key, work={}, files=files, started_at="", finished_at="", seconds=0
    )
    create_contract(store, layout.manifest("dataset", key), manifest)
    return key


def names(documents: set[str]) -> dict[str, str]:
    return dict.fromkeys(documents, "gauge.pdf")


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_chunk_is_found_by_its_words_and_read_whole(store: ObjectStore, tmp_path: Path, end: str) -> None:
    texts = [f"Filler number {at} about weather." for at in range(50)] + ["Änderung \u2028 am Barometer, 1931."]
    key = put_dataset(store, tmp_path, "k1", texts, end)
    found = EvidenceShelf(store, 1, 1 << 20).nearest(key, names, "barometer", 5)
    assert [(one.text, one.pages, one.filename) for one in found] == [(texts[-1], (51,), "gauge.pdf")]


def test_as_many_as_are_asked_for_come_best_first(store: ObjectStore, tmp_path: Path) -> None:
    key = put_dataset(store, tmp_path, "k1", [f"tide {'tide ' * at} filler {at}" for at in range(9)] + ["filler"] * 20)
    found = EvidenceShelf(store, 1, 1 << 20).nearest(key, names, "tide", 4)
    assert len(found) == 4
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_more_may_be_asked_for_than_there_are(store: ObjectStore, tmp_path: Path) -> None:
    key = put_dataset(store, tmp_path, "k1", ["tide"])
    assert len(EvidenceShelf(store, 1, 1 << 20).nearest(key, names, "tide", 50)) == 1


def test_a_dataset_whose_chunks_hold_no_word_gives_no_evidence(store: ObjectStore, tmp_path: Path) -> None:
    key = put_dataset(store, tmp_path, "k1", ["the of", "…"])
    assert EvidenceShelf(store, 1, 1 << 20).nearest(key, names, "tide", 5) == []


def test_only_so_many_indexes_are_kept(store: ObjectStore, tmp_path: Path) -> None:
    shelf = EvidenceShelf(store, 2, 1 << 20)
    keys = [put_dataset(store, tmp_path, f"k{at}", [f"tide {at}"]) for at in range(3)]
    for key in (*keys, keys[0]):
        assert len(shelf.nearest(key, names, "tide", 1)) == 1
        assert len(shelf._entries) <= 2


def test_a_dataset_that_is_too_large_or_not_done_is_told(store: ObjectStore, tmp_path: Path) -> None:
    key = put_dataset(store, tmp_path, "k1", ["tide"] * 20)
    with pytest.raises(Unsupported, match="LECTERN_EVIDENCE_MAX_BYTES"):
        EvidenceShelf(store, 1, 100).nearest(key, names, "tide", 1)
    with pytest.raises(NotReady):
        EvidenceShelf(store, 1, 100).nearest("other", names, "tide", 1)


def test_who_asks_while_a_large_dataset_is_indexed_is_told_to_ask_again(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_dataset(store, tmp_path, "k1", ["tide"])
    may = threading.Event()

    def slow(store: ObjectStore, manifest: Manifest) -> Index:
        may.wait(30)
        return build_index(store, manifest)

    monkeypatch.setattr("services.gateway.evidence.build_index", slow)
    monkeypatch.setattr("services.gateway.evidence.WAIT_SECONDS", 0.05)
    shelf = EvidenceShelf(store, 1, 1 << 20)
    shelf.prepare(key)
    with pytest.raises(NotReady, match="being indexed"):
        shelf.nearest(key, names, "tide", 1)
    may.set()
    wait_until(shelf._entries[key].index.done, "the index")
    assert len(shelf.nearest(key, names, "tide", 1)) == 1


def test_an_index_that_could_not_be_built_is_tried_again(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_dataset(store, tmp_path, "k1", ["tide"])
    monkeypatch.setattr("services.gateway.evidence.build_index", lambda store, manifest: store.read("nowhere"))
    shelf = EvidenceShelf(store, 1, 1 << 20)
    with pytest.raises(NotFound):
        shelf.nearest(key, names, "tide", 1)
    monkeypatch.undo()
    assert len(shelf.nearest(key, names, "tide", 1)) == 1


def test_rare_words_find_a_chunk_that_common_ones_would_bury(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.chunk_index.MOST_READ", 60)
    texts = [f"the gauge of the pier reads low, entry {at}" for at in range(50)]
    key = put_dataset(store, tmp_path, "k1", texts)
    (found,) = EvidenceShelf(store, 1, 1 << 20).nearest(key, names, 'the gauge of the pier reads "low" entry 37', 1)
    assert found.text == texts[37]


def test_what_is_asked_is_words_and_never_a_query(store: ObjectStore, tmp_path: Path) -> None:
    shelf = EvidenceShelf(store, 1, 1 << 20)
    key = put_dataset(store, tmp_path, "k1", ["tide", "ebb or flood, and not near"])
    for text in ('"', "OR AND NOT", "text:tide*", "NEAR(a b)", "'; drop table places; --", "…", "\x00tide", ""):
        shelf.nearest(key, names, text, 5)
        assert len(shelf.nearest(key, names, "TIDE", 5)) == 1, text


def test_words_that_most_chunks_hold_are_no_evidence_of_any(store: ObjectStore, tmp_path: Path) -> None:
    key = put_dataset(store, tmp_path, "k1", [f"the gauge of pier {at} is read" for at in range(20)])
    shelf = EvidenceShelf(store, 1, 1 << 20)
    assert shelf.nearest(key, names, "the answer of the model is", 5) == []
    assert [one.score > 0 for one in shelf.nearest(key, names, "the gauge of pier 7 is", 5)] == [True]

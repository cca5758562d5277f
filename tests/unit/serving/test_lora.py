"""Adapters fetched from what training left."""

import json
from pathlib import Path

import pytest

from services.serving.adapters.lora import AdapterCache
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.objects import ObjectStore
from tests.unit.serving.models import publish_model


def test_an_engine_is_given_json_and_safetensors_alone(store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path, {"adapter_model.bin": b"a pickle", "tokenizer.json": b"{}"})
    adapter = AdapterCache(store, tmp_path / "cache").fetch(model)
    assert {path.name for path in adapter.directory.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert adapter.served_name == f"lectern-{model.adapter_digest[:16]}" and adapter.rank == 8


def test_an_adapter_is_fetched_once(store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path)
    first = AdapterCache(store, tmp_path / "cache").fetch(model)
    for path in list(store.list("stages/training")):
        store.delete(path)
    assert AdapterCache(store, tmp_path / "cache").fetch(model) == first


def test_a_damaged_adapter_is_not_used(store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path)
    stored = next(path for path in store.list("stages/training") if path.endswith(".safetensors"))
    store.delete(stored)
    store.create(stored, b"other weights")
    with pytest.raises(Unavailable):
        AdapterCache(store, tmp_path / "cache").fetch(model)


def test_an_adapter_that_training_did_not_leave_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path)
    with pytest.raises(NotFound):
        AdapterCache(store, tmp_path / "cache").fetch(model.model_copy(update={"adapter_key": "0" * 64}))


@pytest.mark.parametrize("changed", [{"adapter_digest": "0" * 64}, {"adapter_digest": "d"}, {"adapter_key": "../../bases"}])
def test_a_model_that_names_another_adapter_than_training_left_has_none(
    changed: dict[str, str], store: ObjectStore, tmp_path: Path
) -> None:
    model = publish_model(store, tmp_path).model_copy(update=changed)
    with pytest.raises(NotFound, match="train it again"):
        AdapterCache(store, tmp_path / "cache").fetch(model)


@pytest.mark.parametrize(
    "config", ["{}", "[]", "not json", json.dumps({"r": 512}), json.dumps({"r": 8, "rank_pattern": {"q": 999}})]
)
def test_what_no_engine_could_take_is_refused_before_it_is_asked(config: str, store: ObjectStore, tmp_path: Path) -> None:
    model = publish_model(store, tmp_path, {"adapter_config.json": config.encode()})
    with pytest.raises(InvalidInput):
        AdapterCache(store, tmp_path / "cache").fetch(model)


def test_the_rank_is_the_largest_of_the_pattern(store: ObjectStore, tmp_path: Path) -> None:
    config = json.dumps({"r": 8, "rank_pattern": {"q_proj": 32}}).encode()
    model = publish_model(store, tmp_path, {"adapter_config.json": config})
    assert AdapterCache(store, tmp_path / "cache").fetch(model).rank == 32

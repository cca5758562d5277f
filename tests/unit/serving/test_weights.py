"""Exports fetched from what the gate let by."""

from pathlib import Path

import pytest

from services.serving.adapters.weights import ExportCache
from shared.errors import NotReady, Unavailable
from shared.exports import BeyondLimit
from shared.objects import ObjectStore
from tests.unit.serving.models import publish_export


def test_an_engine_is_given_weights_tokenizer_and_template_and_nothing_else(store: ObjectStore, tmp_path: Path) -> None:
    key = publish_export(store, tmp_path, {"pytorch_model.bin": b"a pickle", "modeling.py": b"", "chat_template.jinja": b""})
    directory = ExportCache(store, tmp_path / "cache").fetch(key)
    assert {path.name for path in directory.iterdir()} == {"config.json", "model.safetensors", "chat_template.jinja"}


def test_an_export_is_fetched_once(store: ObjectStore, tmp_path: Path) -> None:
    key = publish_export(store, tmp_path)
    first = ExportCache(store, tmp_path / "cache").fetch(key)
    for path in list(store.list("stages/export")):
        store.delete(path)
    assert ExportCache(store, tmp_path / "cache").fetch(key) == first


def test_a_damaged_export_is_not_used(store: ObjectStore, tmp_path: Path) -> None:
    key = publish_export(store, tmp_path)
    stored = next(path for path in store.list("stages/export") if path.endswith(".safetensors"))
    store.delete(stored)
    store.create(stored, b"other weights")
    with pytest.raises(Unavailable):
        ExportCache(store, tmp_path / "cache").fetch(key)


def test_what_the_gate_refused_or_nobody_made_is_not_fetched(store: ObjectStore, tmp_path: Path) -> None:
    exports = ExportCache(store, tmp_path / "cache")
    with pytest.raises(BeyondLimit):
        exports.fetch(publish_export(store, tmp_path, rejected="beyond-limit"))
    with pytest.raises(NotReady, match="lectern export"):
        exports.fetch("0" * 64)
    assert not (tmp_path / "cache").exists()

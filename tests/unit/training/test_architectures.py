"""Each architecture of the table: trained from a tiny random configuration, saved, loaded, and packed where it bears it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.adapters.trainer import FlatRows
from services.training.settings import TrainingSettings
from services.training.stages.examples import encode
from services.training.stages.packing import rows_of
from shared.bases import publish_base
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import ObjectStore
from shared.tuning.architectures import ARCHITECTURES, packing_of
from tests.unit.training.tiny import TINY
from tests.unit.training.world import END, NAME, examples, make_tokenizer

CPU = torch.device("cpu")
PACKED = [kind for kind in TINY if not ARCHITECTURES[kind].recurrent]


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A base of the kind that the test is for: a few thousand random weights."""
    directory = tmp_path / "base"
    tokenizer = make_tokenizer(directory)
    end = tokenizer.eos_token_id
    config = AutoConfig.for_model(request.param, **TINY[request.param], eos_token_id=end, pad_token_id=end, bos_token_id=end)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    model.to(torch.bfloat16).save_pretrained(directory)
    return directory


def test_every_architecture_of_the_table_has_a_tiny_model_here_or_one_of_its_build() -> None:
    assert set(TINY) <= set(ARCHITECTURES)
    missing = {kind: one for kind, one in ARCHITECTURES.items() if kind not in TINY}
    assert all(one == ARCHITECTURES["llama"] for one in missing.values()), missing


@pytest.mark.parametrize("base", TINY, indirect=True)
def test_an_adapter_on_it_learns_and_is_saved_and_loaded(store: ObjectStore, base: Path, tmp_path: Path) -> None:
    publish_base(store, base, name=NAME, source="test", licence="none", architecture="any", eos_token=END)
    config, tokenizer = pretrained.read_config(base), pretrained.load_tokenizer(base)
    recipe = TrainingRecipe(
        base=NAME,
        batch_size=4,
        gradient_accumulation=1,
        max_steps=16,
        lora_r=8,
        learning_rate=1e-2,
        warmup_steps=1,
        schedule="cosine",
    )
    encoded = [encode(one, "alpaca", tokenizer) for one in examples(4)]
    packing = packing_of(recipe, config)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")
    job = Job("a" * 64, NAME, recipe, "bf16", settings, 1, tmp_path / "work", packing)
    points: list[LossPoint] = []
    train(job, RowTable.of(rows_of(encoded, packing, recipe.max_tokens)), 0, CPU, points.append)
    assert points[-1].loss < points[0].loss - 0.2, [point.loss for point in points]
    latest = Checkpoints(store, "a" * 64).fetch_latest(tmp_path / "look")
    assert latest is not None
    model = models.load_for_scoring(base, latest[1], CPU)
    learned = {name for name, value in model.named_parameters() if "lora_B" in name and bool(value.any())}
    wanted = {name.rpartition(".")[2] for name in ARCHITECTURES[str(config["model_type"])].targets}
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in learned} == wanted
    ids = torch.tensor([encoded[0].ids])
    with torch.no_grad():
        tuned = model(ids, use_cache=False).logits
        with model.disable_adapter():
            assert not torch.equal(model(ids, use_cache=False).logits, tuned)


@pytest.mark.parametrize("attention", ["auto", "eager"])
@pytest.mark.parametrize("base", PACKED, indirect=True)
def test_packed_examples_have_the_logits_that_they_have_alone(base: Path, attention: Any) -> None:
    tokenizer = pretrained.load_tokenizer(base)
    recipe = TrainingRecipe(quantization="none", attention=attention)
    model = models.load_for_training(base, recipe, "fp32", CPU).eval()
    encoded = [encode(one, "alpaca", tokenizer) for one in examples(5)]
    # A window of attention, where the kind has one, is shorter than these: 512 tokens of context, 4096 of window.
    rows = rows_of(encoded, "full", 384)
    assert len(rows) < len(encoded)
    batch = FlatRows()([{"input_ids": row.ids, "labels": row.labels, "lengths": row.lengths} for row in rows])
    labels = batch.pop("labels")
    with torch.no_grad():
        packed = model(**batch, use_cache=False).logits[0]
        alone = {one.ids: model(torch.tensor([one.ids]), use_cache=False).logits[0] for one in encoded}
    ends = batch["cu_seq_lens_q"].tolist()
    seen = 0
    for begin, end in pairwise(ends):
        ids = tuple(batch["input_ids"][0, begin:end].tolist())
        torch.testing.assert_close(packed[begin:end], alone[ids], rtol=1e-4, atol=1e-5)
        assert labels[0, begin] == -100, "nothing is to be foretold of an example by the end of another"
        seen += 1
    assert seen == len(encoded)

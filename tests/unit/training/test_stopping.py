"""A tuned model ends its answers by itself, because EOS is part of what it learns; where EOS is taken away, it does not."""

from pathlib import Path

import pytest
import torch

from benchmarks.stopping import Bench, without_eos
from benchmarks.tuning.stopping import share_that_stops
from services.training.adapters import models, pretrained
from services.training.stages.examples import encode
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store
from tests.unit.training.world import NAME, examples, publish_tiny

RECIPE = TrainingRecipe(
    base=NAME, batch_size=4, gradient_accumulation=1, max_steps=150, lora_r=32, learning_rate=5e-3, schedule="linear",
    quantization="none", checkpoint_steps=150,
)  # fmt: skip


@pytest.mark.slow
def test_answers_end_by_themselves_only_where_eos_was_learned(tiny_base: Path, tmp_path: Path) -> None:
    bench = Bench(tiny_base, tmp_path)
    publish_tiny(open_store(bench.settings), tiny_base)
    tokenizer = pretrained.load_tokenizer(tiny_base)
    eos = int(tokenizer.eos_token_id)
    same = [one.model_copy(update={"output": "the valve"}) for one in examples(4)]
    made = [encode(one, "alpaca", tokenizer) for one in same]
    assert all(one.ids[-1] == one.labels[-1] == eos for one in made)
    learned = models.load_for_scoring(tiny_base, bench.tuned("a", RECIPE, made), torch.device("cpu"))
    with learned.disable_adapter():
        before = share_that_stops(learned, made, eos, 12)
    after = share_that_stops(learned, made, eos, 12)
    without = models.load_for_scoring(tiny_base, bench.tuned("b", RECIPE, without_eos(made)), torch.device("cpu"))
    never = share_that_stops(without, made, eos, 12)
    assert (before, never) == (0.0, 0.0)
    assert after > 0.9

"""Merging an adapter, and the gate that stops what is not the model that was trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from services.training.adapters import models
from services.training.export import REPORT, export
from services.training.stages.gate import MERGED, NEAR_TIE, Comparison, Position, compare, judge
from shared.contracts.work import Rejected
from tests.unit.training.world import examples, write_lines

SAME = Position(divergence=0.0, margin=1.0, agrees=True)
FAR = Position(divergence=1.0, margin=1.0, agrees=False)


@pytest.fixture
def adapter(tiny_base: Path, tmp_path: Path) -> Path:
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_base), LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
    )
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)  # little: KL 0.003, where the limit for a divergence is 0.01
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def exported(base: Path, adapter: Path, tmp_path: Path) -> Comparison | Rejected:
    return export(base, adapter, write_lines(tmp_path / "h.jsonl", examples(4)), tmp_path / "out", "alpaca")


def test_a_merged_model_is_the_model_that_was_trained(tiny_base: Path, adapter: Path, tmp_path: Path) -> None:
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, Comparison), found
    assert Comparison.model_validate_json((tmp_path / "out" / REPORT).read_text()) == found
    assert not (tmp_path / "out.part").exists()


def test_corrupted_weights_are_stopped_and_nothing_is_kept(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = models.merge_adapter

    def corrupted(*given: Any) -> Any:
        model = honest(*given)
        torch.manual_seed(2)
        torch.nn.init.normal_(model.model.layers[0].mlp.down_proj.weight, std=1.0)
        return model

    monkeypatch.setattr(models, "merge_adapter", corrupted)
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, Rejected)
    assert found.reason == "beyond-limit"
    assert "divergence over prefill" in found.detail
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


def test_an_adapter_that_was_left_out_is_noticed(
    tiny_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "merge_adapter", lambda base, _, device: models.load_served(base, device))
    found = exported(tiny_base, adapter, tmp_path)
    assert isinstance(found, Rejected)
    assert "beside the adapter's own" in found.detail


def test_good_prefill_with_bad_decoding_is_stopped() -> None:
    wild = Position(divergence=2.0, margin=1.0, agrees=False)
    refused = judge(compare([FAR], [SAME], [wild], [1.0], [1.0]), MERGED)
    assert refused is not None
    assert "while decoding" in refused.detail
    assert "prefill" not in refused.detail


def test_a_near_tie_may_go_either_way() -> None:
    tie = Position(divergence=0.0, margin=NEAR_TIE / 2, agrees=False)
    assert judge(compare([FAR], [SAME], [SAME, tie], [1.0], [1.0]), MERGED) is None


def test_what_is_not_a_number_is_beyond_any_limit() -> None:
    nothing = Position(divergence=float("nan"), margin=1.0, agrees=True)
    assert judge(compare([FAR], [nothing], [SAME], [1.0], [1.0]), MERGED) is not None


def test_a_missing_adapter_is_refused_before_work(tiny_base: Path, tmp_path: Path) -> None:
    found = exported(tiny_base, tmp_path / "none", tmp_path)
    assert isinstance(found, Rejected)
    assert found.reason == "missing-file"

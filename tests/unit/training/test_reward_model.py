"""Reward models on one worker: what one learns of pairs, that its run resumes, and how it scores what another adapter says."""

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.ppo.policy import Policy
from services.training.adapters.reward_model import RewardPairs, padding
from services.training.adapters.scorer import Scorer, packed
from services.training.stages.pairs import Pair, row_of
from shared.contracts.alignment import RewardModel
from shared.contracts.ppo import PPO, LengthRule, ModelRule
from shared.objects import ObjectStore
from tests.unit.training.test_alignment import EXACT as DPO_EXACT
from tests.unit.training.test_alignment import RECIPE as DPO_RECIPE
from tests.unit.training.test_alignment import Align, align, pairs, rewards
from tests.unit.training.test_ppo import CPU, moved
from tests.unit.training.test_training import adapter, figures

__all__ = ["align", "pairs"]
"""Fixtures."""

RECIPE = DPO_RECIPE.model_copy(update={"alignment": RewardModel()})
EXACT = DPO_EXACT.model_copy(update={"alignment": RewardModel()})
HEAD = "base_model.model.score.weight"


def made(store: ObjectStore, name: str, into: Path) -> Path:
    latest = Checkpoints(store, name).fetch_latest(into / f"made-{name[0]}")
    assert latest is not None
    return latest[1]


def reckoned(tiny_base: Path, adapter_at: Path, pairs: list[Pair]) -> list[tuple[float, float]]:
    """Rewards of pairs by transformers and PEFT alone, one answer at a time: nothing is padded."""
    model = AutoModelForSequenceClassification.from_pretrained(tiny_base, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = None
    model = PeftModel.from_pretrained(model, adapter_at).eval()
    with torch.no_grad():
        return [
            tuple(float(model(torch.tensor([one.prompt + answer])).logits) for answer in (one.chosen, one.rejected))  # type: ignore[misc]
            for one in pairs
        ]


@pytest.mark.parametrize("recipe", [RECIPE, EXACT])
def test_it_learns_which_answers_are_preferred_and_is_right_on_pairs_it_did_not_learn_from(align: Align, recipe: Any) -> None:
    points = align("a" * 64, recipe=recipe.model_copy(update={"epochs": 12.0, "evaluation_steps": 6}))
    assert points[0].loss == pytest.approx(math.log(2), abs=0.1) and points[-1].loss < 0.4
    assert points[-1].metrics["heldout_accuracy"] > 0.8 and points[-1].metrics["heldout_margin"] > 0
    assert [one.step for one in points if "heldout_accuracy" in one.metrics] == [6, 12, 18, 24]
    assert points[-1].metrics["heldout_deviation"] > 0


@pytest.mark.parametrize(("recipe", "from_parent"), [(RECIPE, True), (EXACT, False)])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    align: Align, store: ObjectStore, tmp_path: Path, recipe: Any, from_parent: bool
) -> None:
    weights = None
    if from_parent:
        policy = recipe.model_copy(update={"alignment": DPO_RECIPE.alignment})
        align("p" * 64, recipe=policy, work="parent")
        weights = adapter(store, "p" * 64, tmp_path)
    undisturbed = align("a" * 64, recipe=recipe, work="one", begins_from=weights)
    assert [one.step for one in undisturbed] == [1, 2, 3, 4]
    align("b" * 64, until=3, recipe=recipe, work="two", begins_from=weights)
    again = align("b" * 64, recipe=recipe, work="three", begins_from=weights)
    assert (figures(again), rewards(again)) == (figures(undisturbed), rewards(undisturbed))
    assert adapter(store, "a" * 64, tmp_path) == adapter(store, "b" * 64, tmp_path)
    files = made(store, "a" * 64, tmp_path)
    assert {one.suffix for one in files.rglob("*") if one.is_file()} <= {".safetensors", ".json", ".jsonl", ".md"}, "no pickle"


def test_its_rewards_are_read_at_an_answers_end(
    align: Align, store: ObjectStore, tiny_base: Path, tmp_path: Path, pairs: list[Pair]
) -> None:
    """Reckoned anew without padding. EOS is the pad token here: the end must count all the same."""
    told = align("a" * 64, recipe=EXACT)[-1].metrics
    found = reckoned(tiny_base, made(store, "a" * 64, tmp_path), pairs[16:])
    margins = [chosen - rejected for chosen, rejected in found]
    assert told["heldout_margin"] == pytest.approx(sum(margins) / len(margins), rel=1e-3, abs=1e-5)
    assert told["heldout_accuracy"] == sum(one > 0 for one in margins) / len(margins)


def test_the_step_itself_reads_them_there_too(
    align: Align, store: ObjectStore, tiny_base: Path, tmp_path: Path, pairs: list[Pair]
) -> None:
    """The first step's margin is that of the fresh head, which the checkpoint of no step has: so a rate of 0 keeps it."""
    kept = EXACT.model_copy(update={"learning_rate": 1e-12, "batch_size": 8, "max_steps": 1, "checkpoint_steps": 1})
    [point] = align("a" * 64, recipe=kept)
    found = reckoned(tiny_base, made(store, "a" * 64, tmp_path), pairs[:16])
    assert point.metrics["margin"] == pytest.approx(sum(a - b for a, b in found) / len(found), abs=1e-5)


def test_pairs_are_padded_with_what_no_answer_ends_in(pairs: list[Pair], tiny_base: Path) -> None:
    eos = int(pretrained.load_tokenizer(tiny_base).eos_token_id)
    rows = [row_of(one) for one in pairs[:3]]
    batch = RewardPairs(eos)([{"input_ids": list(one.ids), "lengths": list(one.lengths)} for one in rows])
    whole = [
        one.prompt + answer for answers in ("chosen", "rejected") for one in pairs[:3] for answer in (getattr(one, answers),)
    ]
    for ids, mask, wanted in zip(batch["input_ids"].tolist(), batch["attention_mask"].tolist(), whole, strict=True):
        assert ids[: sum(mask)] == list(wanted) and set(ids[sum(mask) :]) <= {padding(eos)}
    assert padding(eos) != eos


@pytest.fixture
def judge(align: Align, store: ObjectStore, tmp_path: Path) -> Path:
    align("a" * 64, recipe=EXACT.model_copy(update={"epochs": 8.0}), work="judge")
    return made(store, "a" * 64, tmp_path)


def packed_at(judge: Path, mean: float = 0.0, deviation: float = 1.0) -> bytes:
    return packed(judge / "adapter_model.safetensors", judge / "adapter_config.json", mean, deviation)


def test_on_another_adapters_base_it_gives_the_same_rewards_and_leaves_that_adapter_alone(
    judge: Path, tiny_base: Path, pairs: list[Pair]
) -> None:
    model = models.load_for_training(tiny_base, EXACT.model_copy(update={"alignment": None}), "fp32", CPU)
    policy = Policy(moved(model))
    before = {name: one.clone() for name, one in get_peft_model_state_dict(model).items()}
    learning = {name for name, one in model.named_parameters() if one.requires_grad}
    eos = int(pretrained.load_tokenizer(tiny_base).eos_token_id)
    scorer = Scorer(model, packed_at(judge, mean=0.5, deviation=2.0), eos, nullcontext)
    found = reckoned(tiny_base, judge, pairs)
    for part in (0, 1):
        answers = [(one.chosen, one.rejected)[part][:-1] for one in pairs]
        told = scorer.rewards([one.prompt for one in pairs], answers)
        assert told == pytest.approx([(one[part] - 0.5) / 2 for one in found], abs=1e-4)
    assert {name for name, one in model.named_parameters() if one.requires_grad} == learning
    after = get_peft_model_state_dict(model)
    assert set(after) == set(before) and all(torch.equal(after[name], before[name]) for name in before)
    assert set(policy.adapter()) == set(before)


def test_an_adapter_without_a_head_is_no_reward_model(judge: Path, tmp_path: Path) -> None:
    weights = {name: one for name, one in load_file(judge / "adapter_model.safetensors").items() if name != HEAD}
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no head"):
        packed(tmp_path / "other.safetensors", judge / "adapter_config.json", 0, 1)


def test_a_run_names_one_reward_model_at_most() -> None:
    one, other = ModelRule(model="a"), ModelRule(model="b")
    assert PPO(rewards=(one, LengthRule())).rewards[0] == one
    with pytest.raises(ValueError, match="one reward model"):
        PPO(rewards=(one, other))

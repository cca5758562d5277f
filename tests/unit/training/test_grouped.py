"""GRPO and RLOO on a tiny model: what a step asks, that they learn, and that a killed run goes on as if undisturbed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save

from services.training.adapters import loop
from services.training.adapters.grouped import GroupSampler
from services.training.adapters.jobs import Job, RowTable, Unscorable
from services.training.settings import TrainingSettings
from services.training.stages.curve import merge
from services.training.stages.packing import rows_of
from shared.contracts.alignment import GRPO, RLOO
from shared.contracts.learning import LossPoint
from shared.contracts.ppo import LengthRule, PatternRule
from shared.contracts.recipes import TrainingRecipe
from shared.objects import ObjectStore
from tests.unit.training.test_ppo import (
    CPU,
    Attempt,
    Killed,
    checkpoint,
    encoded,
    figures,
    model_of,
    moved,
    outspoken,
    tokenizer,
)
from tests.unit.training.world import NAME, publish_tiny

__all__ = ["encoded", "tokenizer"]
"""Fixtures."""

RECIPE = TrainingRecipe(
    base=NAME, quantization="none", optimizer="adamw_torch", schedule="linear", batch_size=4, gradient_accumulation=2,
    max_steps=5, lora_r=4, learning_rate=1e-2, checkpoint_steps=2, warmup_ratio=0,
)  # fmt: skip
SHORT = {"rewards": (LengthRule(min_words=0, max_words=1),), "answer_tokens": 8, "generations": 4}
METHODS = [GRPO(**SHORT), RLOO(**SHORT)]


@pytest.fixture
def attempt(store: ObjectStore, tiny_base: Path, tmp_path: Path, encoded: list[Any]) -> Attempt:
    """Train a run under a name, from wherever it stands; dies after `until` steps."""
    publish_tiny(store, tiny_base)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")

    def run(
        name: str, wish: GRPO | RLOO, until: int | None = None, precision: Any = "fp32", begins_from: bytes | None = None,
        **changed: Any,
    ) -> list[LossPoint]:  # fmt: skip
        points: list[LossPoint] = []

        def tell(point: LossPoint) -> None:
            points.append(point)
            if point.step == until:
                raise Killed

        recipe = RECIPE.model_copy(update={"alignment": wish, **changed})
        job = Job(name * 64, recipe.base, recipe, precision, settings, 1, tmp_path / f"{name}{until}")
        try:
            loop.train(job, RowTable.of(rows_of(encoded, "none", 384)), 0, CPU, tell, begins_from)
        except Killed:
            assert until is not None
        return points

    return run


@pytest.mark.parametrize("wish", METHODS, ids=lambda one: one.method)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    attempt: Attempt, store: ObjectStore, tmp_path: Path, wish: GRPO | RLOO
) -> None:
    """Over the end of an epoch: eleven prompts, two a step."""
    undisturbed = attempt("a", wish, max_steps=8)
    assert [one.step for one in undisturbed] == list(range(1, 9)) and undisturbed[-1].epoch > 1
    first = attempt("b", wish, until=7, max_steps=8)
    second = attempt("b", wish, max_steps=8)
    assert figures(merge([*first, *second])) == figures(undisturbed)
    files = [checkpoint(store, name, tmp_path) for name in "ab"]
    one, other = (file / "adapter_model.safetensors" for file in files)
    assert one.read_bytes() == other.read_bytes()
    assert {one.suffix for one in files[0].rglob("*") if one.is_file()} <= {".safetensors", ".json", ".jsonl", ".md"}, (
        "no pickle"
    )


def test_a_quantized_run_from_a_parent_that_learns_twice_of_its_answers_resumes_too(
    attempt: Attempt, store: ObjectStore, tmp_path: Path, tiny_base: Path
) -> None:
    weights = save(get_peft_model_state_dict(moved(model_of(tiny_base))))
    how: dict[str, Any] = {"precision": "bf16", "quantization": "nf4", "optimizer": "adamw_8bit", "begins_from": weights}
    wish = GRPO(**SHORT, passes=2)
    undisturbed = attempt("a", wish, **how)
    assert undisturbed[0].metrics["kl"] == pytest.approx(0, abs=0.05), "it begins where its parent ended"
    assert undisturbed[0].metrics["reward"] == undisturbed[1].metrics["reward"], "of the same answers"
    again = merge([*attempt("b", wish, until=3, **how), *attempt("b", wish, **how)])
    assert figures(again) == figures(undisturbed)
    assert len(list(checkpoint(store, "a", tmp_path).rglob("adapter_model.safetensors"))) == 1


@pytest.mark.parametrize("kind", [GRPO, RLOO])
def test_answers_grow_likelier_that_earn_more(
    attempt: Attempt, store: ObjectStore, tiny_base: Path, tmp_path: Path, kind: Any
) -> None:
    """A model of random weights, rewarded for one letter."""
    publish_tiny(store, outspoken(tiny_base, tmp_path / "outspoken"), "outspoken")
    letters = kind(
        rewards=(PatternRule(pattern="e", enough=4),), answer_tokens=8, unended_penalty=0, kl_coefficient=0.001, generations=8,
    )  # fmt: skip
    curve = attempt(
        "a", letters, base="outspoken", max_steps=24, schedule="constant", checkpoint_steps=24, batch_size=24,
        learning_rate=5e-3,
    )  # fmt: skip
    rewards = [one.metrics["reward"] for one in curve]
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 0.1
    assert curve[0].metrics["kl"] == pytest.approx(0, abs=1e-4) and curve[-1].metrics["kl"] > 0.5
    told = {"reward", "kl", "kl_k3", "entropy", "answer_tokens", "ended", "clipped", "gradient", "kl_coefficient", "kl_warning"}
    assert all(told == set(one.metrics) for one in curve)
    assert [one.tokens for one in curve] == sorted(one.tokens for one in curve) and curve[0].tokens > 0


def test_a_reward_that_rises_while_divergence_runs_away_is_warned_of(attempt: Attempt) -> None:
    """Of the same rule as PPO's, which is tested there: here, that it is asked of the curve, and of the curve before a kill."""
    from services.training.adapters.grouped import Grouping, group_figures

    class Told(Grouping):
        def __init__(self) -> None:
            self.told: dict[str, float] = {}

    before = [
        LossPoint(
            step=step, epoch=0.0, loss=0.0, learning_rate=0.0, tokens=0, seconds=0.0,
            metrics={"reward": 0.1 * step, "kl": 1.0 * step},
        )
        for step in range(1, 16)
    ]  # fmt: skip
    trainer, wish = Told(), GRPO(**SHORT, kl_limit=10)
    at = group_figures(trainer, wish, before)
    logs = {"clip_ratio/region_mean": 0.0, "grad_norm": 1.0}
    trainer.told = {"reward": 1.6, "kl": 16.0}
    assert at(16, logs)["kl_warning"] == 1.0
    calm = group_figures(trainer, wish.model_copy(update={"kl_limit": 20.0}), before)
    assert calm(16, logs)["kl_warning"] == 0.0


def test_every_prompt_is_asked_once_an_epoch_in_groups_and_again_for_each_batch_it_is_drawn_for() -> None:
    sampler = GroupSampler([5, 3, 8, 2, 9], asked=2, generations=3, drawn=2, seed=1)
    order = list(sampler)
    assert len(order) == len(sampler) == 3 * 2 * 3 * 2
    batches = [order[start : start + 12] for start in range(0, len(order), 12)]
    for batch in batches:
        assert batch[:6] == batch[6:], "the same batch again"
        assert len(set(batch[:3])) == len(set(batch[3:6])) == 1, "a prompt for each of its answers"
    asked = [batch[at] for batch in batches for at in (0, 3)]
    assert set(asked) == set(range(5)) and asked[5] == asked[0], "filled up from the epoch's beginning"
    orders = set()
    for epoch in range(8):
        sampler.set_epoch(epoch)
        orders.add(tuple(sampler))
    assert tuple(order) in orders and len(orders) > 1, "an epoch's order is its own"


def test_a_pattern_that_takes_for_ever_ends_the_run(attempt: Attempt) -> None:
    slow = GRPO(rewards=(PatternRule(pattern=r"(?s)(.|..)+(?<=\x00)\Z"),), answer_tokens=48, generations=4)
    with pytest.raises(Unscorable, match="takes too long"):
        attempt("a", slow)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"batch_size": 3}, "whole groups of 8"),
        ({"checkpoint_steps": 5, "alignment": {"passes": 2}}, "multiple of passes"),
        ({"lora_dropout": 0.1}, "dropout"),
        ({"workers": 2}, "one worker"),
        ({"precision": "fp16"}, "bf16 or fp32"),
        ({"packing": "full"}, "not packed"),
        ({"loss": "all"}, "of answers"),
        ({"continual": {}}, "replays nothing"),
        ({"alignment": {"rewards": []}}, "at least 1"),
        ({"alignment": {"beta": 1}}, "not permitted"),
    ],
)
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_recipes_that_cannot_be_are_refused(changed: dict[str, Any], told: str, method: str) -> None:
    section = {"method": method, "rewards": [{"rule": "json"}], **changed.get("alignment", {})}
    with pytest.raises(ValueError, match=told):
        TrainingRecipe.model_validate({**changed, "alignment": section})


def test_the_learning_adapter_alone_is_trained(attempt: Attempt, tiny_base: Path) -> None:
    """With a reference of its own beside it."""
    torch.manual_seed(0)
    weights = save(get_peft_model_state_dict(moved(model_of(tiny_base))))
    [point] = attempt("a", METHODS[0], until=1, begins_from=weights)
    assert point.metrics["kl_k3"] == pytest.approx(0, abs=1e-4)

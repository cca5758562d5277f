"""Direct preference optimization on one worker: pairs as the model sees them, a frozen reference, runs that resume."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from services.training.adapters import pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.settings import TrainingSettings
from services.training.stages.pairs import Pair, encode_pair, pair_of, refuse_pairs, row_of
from shared.contracts.alignment import DPO
from shared.contracts.feedback import Preference
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import ObjectStore
from shared.template import render_prompt
from tests.unit.training.test_training import Killed, adapter, figures
from tests.unit.training.world import END, NAME, WORDS, publish_tiny

RECIPE = TrainingRecipe(
    base=NAME, batch_size=4, gradient_accumulation=2, epochs=2, lora_r=4, learning_rate=3e-3, checkpoint_steps=2,
    warmup_ratio=0.2, alignment=DPO(beta=0.2),
)  # fmt: skip
EXACT = RECIPE.model_copy(update={"quantization": "none", "optimizer": "adamw_torch"})


def preferences(count: int, seed: int = 0) -> list[Preference]:
    """The answer that names the valve is preferred to the one that is worn."""
    chance = random.Random(seed)

    def say(words: int) -> str:
        return " ".join(chance.choice(WORDS[:10]) for _ in range(words))

    return [
        Preference(
            prompt=say(chance.randint(3, 8)), chosen=f"{say(chance.randint(2, 6))} the valve.",
            rejected=f"{say(chance.randint(2, 9))} wear.", mode="chat", source="file",
        )
        for _ in range(count)
    ]  # fmt: skip


Align = Callable[..., list[LossPoint]]


@pytest.fixture
def pairs(tiny_base: Path) -> list[Pair]:
    tokenizer = pretrained.load_tokenizer(tiny_base)
    return [encode_pair(one, "alpaca", tokenizer) for one in preferences(22)]


@pytest.fixture
def align(store: ObjectStore, tiny_base: Path, tmp_path: Path, pairs: list[Pair]) -> Align:
    """Align a run under a name, from wherever it stands; dies after `until` steps."""
    publish_tiny(store, tiny_base)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")

    def run(
        name: str, until: int | None = None, recipe: TrainingRecipe = RECIPE, work: str = "work",
        begins_from: bytes | None = None,
    ) -> list[LossPoint]:  # fmt: skip
        points: list[LossPoint] = []

        def tell(point: LossPoint) -> None:
            points.append(point)
            if point.step == until:
                raise Killed

        table = RowTable.of([row_of(one) for one in pairs[:16]])
        held = tuple(answer for one in pairs[16:] for answer in one.answers)
        precision = "bf16" if recipe.quantization == "nf4" else "fp32"
        job = Job(name, NAME, recipe, precision, settings, 1, tmp_path / work, "none", held)
        try:
            train(job, table, 0, torch.device("cpu"), tell, begins_from)
        except Killed:
            assert until is not None
        return points

    return run


def rewards(points: list[LossPoint]) -> list[dict[str, float]]:
    return [one.metrics for one in points]


def test_a_pair_stands_in_the_template_with_both_ends_learned(tiny_base: Path) -> None:
    tokenizer = pretrained.load_tokenizer(tiny_base)
    told = Preference(prompt=f"Set it {END} now", chosen="the pump", rejected="the seal", mode="chat", source="file")
    pair = encode_pair(told, "alpaca", tokenizer)
    assert tokenizer.decode(pair.prompt) == render_prompt("alpaca", told.prompt)
    assert tokenizer.decode(pair.chosen) == f"the pump{END}" and tokenizer.decode(pair.rejected) == f"the seal{END}"
    end = tokenizer.eos_token_id
    assert [part.count(end) for part in (pair.prompt, pair.chosen, pair.rejected)] == [0, 1, 1], "text cannot smuggle one in"
    bare = encode_pair(told.model_copy(update={"mode": "completion"}), "alpaca", tokenizer)
    assert tokenizer.decode(bare.prompt) == told.prompt and bare.chosen == pair.chosen
    chosen, rejected = pair.answers
    assert (chosen.ids, rejected.ids) == (pair.prompt + pair.chosen, pair.prompt + pair.rejected)
    assert (chosen.response_tokens, rejected.response_tokens) == (len(pair.chosen), len(pair.rejected))


def test_a_pair_travels_as_a_row(pairs: list[Pair]) -> None:
    assert [pair_of(row_of(one)) for one in pairs] == pairs


def test_pairs_that_cannot_be_learned_from_are_refused(pairs: list[Pair]) -> None:
    assert refuse_pairs(pairs, RECIPE) is None
    none = refuse_pairs([], RECIPE)
    long = refuse_pairs([*pairs, Pair((1,) * 300, (2,), (3,) * 100)], RECIPE)
    assert (none and none.reason, long and long.reason) == ("no-preferences", "example-too-long")
    assert long is not None and "1 pairs" in long.detail and "has 400" in long.detail


@pytest.mark.parametrize("recipe", [RECIPE, EXACT])
def test_preferred_answers_gain_over_rejected_ones_they_did_not_learn_from(align: Align, recipe: TrainingRecipe) -> None:
    points = align("a" * 64, recipe=recipe.model_copy(update={"epochs": 8.0, "evaluation_steps": 6}))
    assert points[0].loss == pytest.approx(math.log(2)), "policy and reference are the same at first"
    assert points[0].metrics == {"accuracy": 0, "margin": 0}
    assert points[-1].loss < 0.6 and points[-1].metrics["margin"] > 0.2
    measured = [one.step for one in points if "heldout_accuracy" in one.metrics]
    assert measured == [6, 12, 16]
    assert points[-1].metrics["heldout_accuracy"] > 0.9


def test_with_imitation_the_preferred_answers_own_loss_is_added(align: Align, tiny_base: Path, pairs: list[Pair]) -> None:
    alone, both = (
        align(name * 64, until=1, work=name, recipe=EXACT.model_copy(update={"alignment": DPO(imitation=weight)}))[0]
        for name, weight in (("a", 0.0), ("b", 0.5))
    )
    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    nats = [-said(model, one.prompt, one.chosen) / len(one.chosen) for one in pairs[:16]]
    assert 0.5 * min(nats) < both.loss - alone.loss < 0.5 * max(nats)


@pytest.mark.parametrize(("recipe", "from_parent"), [(RECIPE, True), (EXACT, False)])
def test_a_killed_alignment_goes_on_as_if_nothing_had_happened(
    align: Align, store: ObjectStore, tmp_path: Path, recipe: TrainingRecipe, from_parent: bool
) -> None:
    weights = None
    if from_parent:
        align("p" * 64, recipe=recipe, work="parent")
        weights = adapter(store, "p" * 64, tmp_path)
    undisturbed = align("a" * 64, recipe=recipe, work="one", begins_from=weights)
    assert [one.step for one in undisturbed] == [1, 2, 3, 4]
    assert undisturbed[0].loss == pytest.approx(math.log(2)), "the reference is the model that the run starts from"
    align("b" * 64, until=3, recipe=recipe, work="two", begins_from=weights)
    again = align("b" * 64, recipe=recipe, work="three", begins_from=weights)
    assert (figures(again), rewards(again)) == (figures(undisturbed), rewards(undisturbed))
    assert adapter(store, "a" * 64, tmp_path) == adapter(store, "b" * 64, tmp_path)


@pytest.mark.parametrize("from_parent", [False, True])
def test_implied_rewards_are_log_ratios_to_the_model_it_started_from(
    align: Align, store: ObjectStore, tiny_base: Path, tmp_path: Path, pairs: list[Pair], from_parent: bool
) -> None:
    """Reckoned anew with PEFT and transformers alone, from what the run left behind."""
    weights = None
    if from_parent:
        align("p" * 64, recipe=EXACT, work="parent")
        weights = adapter(store, "p" * 64, tmp_path)
    told = align("a" * 64, recipe=EXACT, begins_from=weights)[-1].metrics
    (tmp_path / "made").mkdir()

    def scores(name: str | None) -> list[tuple[float, float]]:
        model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
        if name is not None:
            latest = Checkpoints(store, name).fetch_latest(tmp_path / "made" / name)
            assert latest is not None
            assert {path.name for path in latest[1].rglob("*.safetensors")} >= {"adapter_model.safetensors"}
            assert all(".ref." not in key for key in load_file(latest[1] / "adapter_model.safetensors"))
            model = PeftModel.from_pretrained(model, latest[1])
        return [(said(model, one.prompt, one.chosen), said(model, one.prompt, one.rejected)) for one in pairs[16:]]

    now, before = scores("a" * 64), scores("p" * 64 if from_parent else None)
    margins = [0.2 * ((a[0] - b[0]) - (a[1] - b[1])) for a, b in zip(now, before, strict=True)]
    assert told["heldout_margin"] == pytest.approx(sum(margins) / len(margins), rel=1e-3, abs=1e-5)
    assert told["heldout_accuracy"] == sum(one > 0 for one in margins) / len(margins)


def said(model: torch.nn.Module, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """log p(answer | prompt), in nats."""
    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        told = model(ids).logits[0, :-1].log_softmax(-1)
    return float(told.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum())

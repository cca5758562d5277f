"""What a recipe, a machine and a dataset imply."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.stages.answering import token_f1
from services.training.stages.curve import merge, pace, up_to
from services.training.stages.examples import Encoded
from services.training.stages.nested import flatten, restore
from services.training.stages.order import epoch_order
from services.training.stages.precision import Capabilities, choose_precision
from services.training.stages.recipe import refuse_architecture, refuse_examples, refuse_template, refuse_tokenizer
from services.training.stages.references import base_name, is_hub_id
from services.training.stages.schedule import plan_steps
from services.training.stages.scoring import ExampleScore, draw, set_score
from shared.contracts.learning import LossPoint, Measured
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from tests.unit.training.world import examples

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=120)


@given(LENGTHS, st.integers(1, 8), st.integers(), st.integers(0, 5))
def test_an_epoch_shows_every_example_once_and_the_same_way_every_time(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    order = epoch_order(lengths, batch_size, seed, epoch)
    assert sorted(order) == list(range(len(lengths)))
    assert order == epoch_order(lengths, batch_size, seed, epoch)


def test_epochs_differ_and_so_do_seeds() -> None:
    lengths = list(range(50))
    assert epoch_order(lengths, 4, 1, 0) != epoch_order(lengths, 4, 1, 1)
    assert epoch_order(lengths, 4, 1, 0) != epoch_order(lengths, 4, 2, 0)


def test_a_batch_holds_examples_of_about_one_length() -> None:
    lengths = [(index * 37) % 400 + 1 for index in range(128)]

    def padding(order: list[int]) -> int:
        batches = [[lengths[one] for one in order[start : start + 4]] for start in range(0, len(order), 4)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in batches)

    assert padding(epoch_order(lengths, 4, 0, 0)) < padding(list(range(128))) / 2


@pytest.mark.parametrize(
    ("recipe", "count", "total", "warmup"),
    [
        (TrainingRecipe(), 80, 10, 1),
        (TrainingRecipe(), 81, 11, 2),
        (TrainingRecipe(epochs=2.5), 80, 25, 3),
        (TrainingRecipe(max_steps=7, epochs=9), 80, 7, 1),
        (TrainingRecipe(workers=2), 80, 5, 1),
        (TrainingRecipe(warmup_ratio=0), 1, 1, 0),
    ],
)
def test_steps_follow_from_examples_batch_accumulation_and_workers(
    recipe: TrainingRecipe, count: int, total: int, warmup: int
) -> None:
    plan = plan_steps(recipe, count)
    assert (plan.total, plan.warmup) == (total, warmup)


@pytest.mark.parametrize(
    ("device", "bf16", "chosen"),
    [("cuda", True, "bf16"), ("cuda", False, "fp16"), ("cpu", True, "bf16"), ("cpu", False, "fp32")],
)
def test_auto_precision_is_what_the_hardware_has(device: str, bf16: bool, chosen: str) -> None:
    assert choose_precision(TrainingRecipe(), Capabilities(device, bf16)) == chosen  # type: ignore[arg-type]


def test_fp16_on_a_cpu_is_refused_and_any_other_wish_is_granted() -> None:
    assert isinstance(choose_precision(TrainingRecipe(precision="fp16"), Capabilities("cpu", bf16=True)), Rejected)
    assert choose_precision(TrainingRecipe(precision="fp16"), Capabilities("cuda", bf16=True)) == "fp16"
    assert choose_precision(TrainingRecipe(precision="bf16"), Capabilities("cpu", bf16=False)) == "bf16"


def point(step: int, loss: float = 1.0, tokens: int = 0, seconds: float = 0.0) -> LossPoint:
    return LossPoint(step=step, epoch=0.0, loss=loss, learning_rate=0.0, tokens=tokens, seconds=seconds)


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0, 9))))
def test_a_curve_has_each_step_once_in_order_and_the_later_run_of_it_counts(steps: list[tuple[int, float]]) -> None:
    merged = merge([point(step, loss) for step, loss in steps])
    assert [one.step for one in merged] == sorted({step for step, _ in steps})
    assert {one.step: one.loss for one in merged} == dict(steps)


def test_a_resumed_curve_ends_at_the_checkpoint() -> None:
    assert [one.step for one in up_to([point(1), point(2), point(3), point(2)], 2)] == [1, 2]


def test_pace_is_taken_over_the_latest_steps() -> None:
    slow_then_fast = [point(step, tokens=100 * step, seconds=10 * min(step, 5) + max(0, step - 5)) for step in range(1, 31)]
    rate = pace(slow_then_fast)
    assert (rate.tokens_per_second, rate.seconds_per_step) == (100.0, 1.0)
    assert pace([]).seconds_per_step == 0.0


def test_what_cannot_be_trained_is_refused_with_its_reason() -> None:
    recipe = TrainingRecipe(max_tokens=32, workers=2)
    long = Encoded(tuple(range(33)), tuple(range(33)))
    fits = Encoded(tuple(range(32)), tuple(range(32)))
    known = {"llama"}
    assert _reason(refuse_examples([], [], recipe)) == "empty-dataset"
    assert _reason(refuse_examples([fits], ["a"], recipe)) == "empty-dataset"
    refused = refuse_examples([fits, long], ["a", "b"], recipe)
    assert _reason(refused) == "example-too-long"
    assert refused is not None and "b, has 33 tokens" in refused.detail
    assert refuse_examples([fits, fits], ["a", "b"], recipe) is None
    assert _reason(refuse_architecture({"model_type": "wonder"}, known)) == "unknown-architecture"
    assert _reason(refuse_architecture({"model_type": "llama", "auto_map": {}}, known)) == "unknown-architecture"
    assert refuse_architecture({"model_type": "llama"}, known) is None
    assert _reason(refuse_tokenizer(None)) == "no-eos-token"
    assert refuse_tokenizer(0) is None
    assert _reason(refuse_template("vicuna")) == "unknown-template"
    assert refuse_template("alpaca") is None


def _reason(refused: Rejected | None) -> str | None:
    return refused.reason if refused else None


class Leaf:
    """Stands for a tensor."""


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.builds(Leaf)
)  # fmt: skip
keys = st.one_of(st.integers(), st.text(), st.tuples(st.text(), st.integers()))
states = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(keys, inner)), max_leaves=30
)


@given(states)
def test_nested_state_comes_back_as_it_was(state: object) -> None:
    flat, tensors = flatten(state, Leaf)
    assert restore(flat, tensors) == state


def test_what_json_cannot_hold_is_no_state() -> None:
    with pytest.raises(TypeError):
        flatten({"a": object()}, Leaf)
    with pytest.raises(ValueError, match="no container"):
        restore({"set": [1]}, {})


@given(st.permutations(range(12)), st.integers(0, 3))
def test_the_same_held_out_examples_are_drawn_in_whatever_order_they_come(order: list[int], seed: int) -> None:
    rows = examples(12)
    assert draw([rows[one] for one in order], 5, seed) == draw(rows, 5, seed)
    assert Counter(len(draw(rows, limit, seed)) for limit in (5, 12, 50)) == {5: 1, 12: 2}


def test_loss_is_the_mean_over_tokens() -> None:
    score = set_score([ExampleScore(id="a", tokens=1, nll=1.0), ExampleScore(id="b", tokens=9, nll=1.0)], seed=0)
    assert (score.loss.value, score.tokens, score.examples, score.answers) == (pytest.approx(0.2), 10, 2, 0)
    assert score.perplexity.value == pytest.approx(math.exp(0.2))
    assert score.f1 is None and score.stops is None, "nobody was asked"


def test_an_interval_is_wide_where_examples_differ_and_none_where_they_agree() -> None:
    def scored(losses: list[float]) -> Measured:
        return set_score([ExampleScore(id=str(at), tokens=2, nll=one) for at, one in enumerate(losses)], seed=3).loss

    same, apart = scored([4.0] * 30), scored([2.0, 6.0] * 15)
    assert (same.low, same.value, same.high) == (2.0, 2.0, 2.0)
    # The mean of 30 draws of 1 or 3: a standard error of 1/sqrt(30), so about 0.36 to either side.
    assert apart.value == 2.0 and apart.low == pytest.approx(1.64, abs=0.1) and apart.high == pytest.approx(2.36, abs=0.1)
    assert scored([2.0, 6.0] * 15) == apart, "the same seed draws the same"


def test_answers_are_counted_over_those_that_were_asked() -> None:
    asked = [ExampleScore(id=str(at), tokens=3, nll=1.0, f1=f1, stopped=f1 > 0) for at, f1 in enumerate((1.0, 0.5, 0.0, 0.5))]
    score = set_score([*asked, ExampleScore(id="long", tokens=99, nll=1.0)], seed=0)
    assert score.f1 is not None and score.stops is not None
    assert (score.answers, score.examples, score.f1.value, score.stops.value) == (4, 5, 0.5, 0.75)
    assert 0 <= score.f1.low <= 0.5 <= score.f1.high <= 1


@pytest.mark.parametrize(
    ("said", "wanted", "f1"),
    [
        ("The valve, closed.", "the valve closed", 1.0), ("pump", "valve", 0.0), ("", "valve", 0.0), ("", "", 1.0),
        ("valve valve valve", "the valve", 0.4), ("Ventil \ufb01x", "ventil fix", 1.0),
    ],
)  # fmt: skip
def test_an_answer_is_as_right_as_the_words_it_shares(said: str, wanted: str, f1: float) -> None:
    assert token_f1(said, wanted) == pytest.approx(f1)


def test_bases_have_names_that_are_safe_in_paths() -> None:
    assert base_name("HuggingFaceTB/SmolLM2-360M-Instruct") == "huggingfacetb--smollm2-360m-instruct"
    assert base_name("My Model (v2)") == "my-model-v2"
    assert is_hub_id("owner/model.v1")
    assert not any(is_hub_id(text) for text in ("model", "a/b/c", "../x", "/etc/passwd", "-a/b"))

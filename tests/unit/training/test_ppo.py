"""PPO on a tiny model: what it samples and judges, that it learns, and that a killed run goes on as if undisturbed."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save
from transformers import AutoModelForCausalLM

from services.training.adapters import loop, models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable, Unscorable
from services.training.adapters.ppo.learning import experience, targets
from services.training.adapters.ppo.loop import train
from services.training.adapters.ppo.policy import Policy
from services.training.adapters.ppo.sampling import Rollout, prompt_of, sample
from services.training.settings import TrainingSettings
from services.training.stages.curve import merge
from services.training.stages.examples import encode
from services.training.stages.packing import rows_of
from shared.contracts.learning import LossPoint
from shared.contracts.ppo import PPO, LengthRule, PatternRule
from shared.contracts.recipes import TrainingRecipe
from shared.objects import ObjectStore
from tests.unit.training.world import NAME, examples, publish_tiny

CPU = torch.device("cpu")
RECIPE = TrainingRecipe(
    base=NAME, quantization="none", optimizer="adamw_torch", schedule="linear", batch_size=4, gradient_accumulation=2,
    max_steps=5, lora_r=4, learning_rate=1e-2, checkpoint_steps=2, warmup_ratio=0,
)  # fmt: skip
SHORT = PPO(rewards=(LengthRule(min_words=0, max_words=1),), answer_tokens=8, passes=2)


class Killed(Exception):
    """Stands for the end of the process."""


Attempt = Callable[..., list[LossPoint]]


def model_of(base: Path, recipe: TrainingRecipe = RECIPE, precision: Any = "fp32") -> Any:
    model = models.load_for_training(base, recipe, precision, CPU)
    models.keep_adapter_in_fp32(model)
    return model


def moved(model: Any, seed: int = 0) -> Any:
    """With an adapter that does something."""
    chance = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.5 * torch.randn(parameter.shape, generator=chance)
    return model


def outspoken(base: Path, into: Path) -> Path:
    """The tiny base with a head of its own, sixfold: what an adapter does to its hidden states can move its words."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.data * 6)
    model.save_pretrained(into)
    pretrained.load_tokenizer(base).save_pretrained(into)
    return into


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return pretrained.load_tokenizer(tiny_base)


@pytest.fixture(scope="module")
def encoded(tokenizer: Any) -> list[Any]:
    return [encode(one, "alpaca", tokenizer) for one in examples(11)]


@pytest.fixture
def attempt(store: ObjectStore, tiny_base: Path, tmp_path: Path, encoded: list[Any]) -> Attempt:
    """Train a run under a name, from wherever it stands; dies after `until` steps."""
    publish_tiny(store, tiny_base)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")

    def run(
        name: str, until: int | None = None, ppo: PPO = SHORT, precision: Any = "fp32", begins_from: bytes | None = None,
        **changed: Any,
    ) -> list[LossPoint]:  # fmt: skip
        points: list[LossPoint] = []

        def tell(point: LossPoint) -> None:
            points.append(point)
            if point.step == until:
                raise Killed

        recipe = RECIPE.model_copy(update=changed)
        job = Job(name * 64, recipe.base, recipe, precision, settings, 1, tmp_path / f"{name}{until}")
        try:
            train(job, ppo, encoded, CPU, tell, begins_from)
        except Killed:
            assert until is not None
        return points

    return run


def figures(points: list[LossPoint]) -> list[tuple[int, float, float, int, dict[str, float]]]:
    return [(one.step, one.loss, one.learning_rate, one.tokens, one.metrics) for one in points]


def checkpoint(store: ObjectStore, name: str, into: Path) -> Path:
    latest = Checkpoints(store, name * 64).fetch_latest(into / name)
    assert latest is not None
    return latest[1]


@pytest.mark.parametrize(
    ("precision", "changed"), [("fp32", {}), ("bf16", {"quantization": "nf4", "optimizer": "adamw_8bit", "schedule": "cosine"})]
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    attempt: Attempt, store: ObjectStore, tmp_path: Path, precision: str, changed: dict[str, Any]
) -> None:
    undisturbed = attempt("a", precision=precision, **changed)
    assert [one.step for one in undisturbed] == [1, 2, 3, 4, 5]
    first = attempt("b", until=3, precision=precision, **changed)
    second = attempt("b", precision=precision, **changed)
    assert figures(merge([*first, *second])) == figures(undisturbed)
    files = [checkpoint(store, name, tmp_path) for name in "ab"]
    one, other = (file / "adapter_model.safetensors" for file in files)
    assert one.read_bytes() == other.read_bytes()
    assert {one.suffix for one in files[0].iterdir()} <= {".safetensors", ".json", ".jsonl", ".md"}, "no pickle"
    assert attempt("b", precision=precision, **changed) == second, "and what is done is not done again"


def test_every_step_tells_reward_divergence_entropy_and_price(attempt: Attempt) -> None:
    first, *later = attempt("a")
    assert first.metrics["kl"] == pytest.approx(0, abs=1e-5), "nothing is learned yet"
    assert later[-1].metrics["kl_k3"] > 0
    for point in (first, *later):
        assert {"reward", "kl", "entropy", "clipped", "kl_coefficient", "ended", "kl_warning"} <= set(point.metrics)
        assert 0 < point.metrics["entropy"] <= math.log(420)
    assert first.metrics["kl_coefficient"] == SHORT.kl_coefficient
    assert later[0].metrics["kl_coefficient"] < SHORT.kl_coefficient, "under its target divergence is made cheaper"


def test_answers_grow_likelier_that_earn_more(attempt: Attempt, store: ObjectStore, tiny_base: Path, tmp_path: Path) -> None:
    """A model of random weights, rewarded for one letter."""
    publish_tiny(store, outspoken(tiny_base, tmp_path / "outspoken"), "outspoken")
    letters = PPO(
        rewards=(PatternRule(pattern="e", enough=4),), answer_tokens=8, unended_penalty=0, kl="fixed", kl_coefficient=0.01
    )
    curve = attempt(
        "a", ppo=letters, base="outspoken", max_steps=16, schedule="constant", checkpoint_steps=16, batch_size=11,
        learning_rate=1e-3,
    )  # fmt: skip
    rewards = [one.metrics["reward"] for one in curve]
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 0.15
    assert curve[-1].metrics["kl"] > 1


def test_without_an_adapter_the_reference_is_the_base_itself(tiny_base: Path, tokenizer: Any, encoded: list[Any]) -> None:
    policy = Policy(moved(model_of(tiny_base)))
    base = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32).eval()
    ids = torch.tensor([encoded[0].ids])
    with torch.no_grad():
        plain = torch.log_softmax(base(ids).logits[0, :-1], -1).gather(1, ids[0, 1:, None])[-4:, 0]
    with policy.as_reference():
        reference = policy.judge(ids, torch.ones_like(ids), 4)
    assert torch.allclose(reference.logs[0], plain, atol=1e-5)
    with torch.no_grad():
        assert not torch.allclose(policy.judge(ids, torch.ones_like(ids), 4).logs[0], plain, atol=1e-2)


def test_with_a_parent_the_reference_is_the_parent_and_stays_so(tiny_base: Path, encoded: list[Any]) -> None:
    parent = moved(model_of(tiny_base))
    ids = torch.tensor([encoded[0].ids])
    weights = {name: value.clone() for name, value in get_peft_model_state_dict(parent).items()}
    with torch.no_grad():
        was = torch.log_softmax(parent.eval()(ids).logits[0, :-1], -1).gather(1, ids[0, 1:, None])[-4:, 0]
    model = model_of(tiny_base)
    models.take_up(model, save(weights))
    policy = Policy(model, weights)
    learning = {name for name, one in policy.named_parameters() if one.requires_grad}
    mask = torch.ones_like(ids)
    assert torch.allclose(policy.judge(ids, mask, 4).logs[0], was, atol=1e-5), "it begins where its parent ended"
    policy.judge(ids, mask, 4).logs.sum().backward()
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
    with policy.as_reference():
        assert torch.allclose(policy.judge(ids, mask, 4).logs[0], was, atol=1e-5)
    assert not torch.allclose(policy.judge(ids, mask, 4).logs[0], was, atol=1e-2)
    assert {name for name, one in policy.named_parameters() if one.requires_grad} == learning
    assert not any("reference" in name for name in learning)


def test_a_run_from_a_parent_starts_at_no_divergence_and_publishes_one_adapter(
    attempt: Attempt, store: ObjectStore, tiny_base: Path, tmp_path: Path
) -> None:
    weights = save(get_peft_model_state_dict(moved(model_of(tiny_base))))
    curve = attempt("a", begins_from=weights)
    assert curve[0].metrics["kl"] == pytest.approx(0, abs=1e-4)
    assert figures(merge([*attempt("b", until=3, begins_from=weights), *attempt("b", begins_from=weights)])) == figures(curve)
    assert len(list(checkpoint(store, "a", tmp_path).rglob("adapter_model.safetensors"))) == 1


def test_answers_are_judged_alike_alone_and_among_longer_prompts(tiny_base: Path, tokenizer: Any, encoded: list[Any]) -> None:
    policy = Policy(moved(model_of(tiny_base)))
    torch.manual_seed(3)
    rollout = sample(policy, [prompt_of(one) for one in encoded[:6]], tokenizer.eos_token_id, 12)
    together = experience(policy, rollout, [0.0] * 6, 4)
    for row, (example, answer, ended) in enumerate(zip(encoded[:6], rollout.answers, rollout.ended, strict=True)):
        said = [*answer, *([tokenizer.eos_token_id] if ended else [])]
        ids = torch.tensor([[*prompt_of(example), *said]])
        with torch.no_grad():
            alone = policy.judge(ids, torch.ones_like(ids), len(said))
        assert int(rollout.mask[row].sum()) == len(said)
        assert torch.allclose(together.logs[row][rollout.mask[row]], alone.logs[0], atol=1e-4)


def test_what_follows_an_answers_end_counts_for_nothing(tiny_base: Path, tokenizer: Any, encoded: list[Any]) -> None:
    policy = Policy(moved(model_of(tiny_base)))
    torch.nn.init.normal_(policy.value.weight, std=0.1)
    eos = int(tokenizer.eos_token_id)
    prompt = list(prompt_of(encoded[0]))
    short = torch.tensor([[*prompt, 70, 71, eos]])
    padded = torch.tensor([[*prompt, 70, 71, eos, eos, eos]])
    long = torch.cat([torch.ones_like(short), torch.zeros(1, 2, dtype=torch.long)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    one = experience(policy, Rollout(short, torch.ones_like(short), mask[:, :3], ((70, 71),), (True,)), [1.0], 1)
    other = experience(policy, Rollout(padded, long, mask, ((70, 71),), (True,)), [1.0], 1)
    for wanted, found in zip(
        (targets(one, SHORT, 0.1).advantages, targets(one, SHORT, 0.1).returns),
        (targets(other, SHORT, 0.1).advantages, targets(other, SHORT, 0.1).returns), strict=True,
    ):  # fmt: skip
        assert torch.allclose(found[:, :3], wanted, atol=1e-4)
        assert not found[:, 3:].any()
    assert one.metrics()["kl"] == pytest.approx(other.metrics()["kl"], abs=1e-4)


def test_tokens_are_drawn_from_the_policy_itself(tiny_base: Path, tokenizer: Any, encoded: list[Any]) -> None:
    """Whatever the base's authors sample with: a first token's share among many is its probability."""
    model = moved(model_of(tiny_base))
    model.generation_config.update(temperature=0.1, top_k=1, repetition_penalty=5.0)
    policy = Policy(model)
    prompt = prompt_of(encoded[0])
    torch.manual_seed(0)
    drawn = sample(policy, [prompt] * 800, tokenizer.eos_token_id, 1).ids[:, -1]
    ids = torch.tensor([prompt])
    with torch.no_grad():
        chances = torch.softmax(policy.model(ids).logits[0, -1], 0)
    found = torch.bincount(drawn, minlength=len(chances)) / 800
    likeliest = chances.topk(8).indices
    for token in likeliest.tolist():
        spread = math.sqrt(float(chances[token]) / 800)
        assert float(found[token]) == pytest.approx(float(chances[token]), abs=5 * spread)


def test_checkpointing_changes_nothing_but_memory(attempt: Attempt) -> None:
    plain = attempt("a", max_steps=2)
    lean = attempt("b", max_steps=2, gradient_checkpointing=True)
    assert [one.loss for one in plain] == pytest.approx([one.loss for one in lean], rel=1e-4)


def test_a_recipe_with_ppo_is_trained_by_it_and_a_pattern_that_takes_for_ever_ends_it(
    store: ObjectStore, tiny_base: Path, tmp_path: Path, encoded: list[Any]
) -> None:
    publish_tiny(store, tiny_base)
    slow = PPO(rewards=(PatternRule(pattern=r"(?s)(.|..)+(?<=\x00)\Z"),), answer_tokens=48)
    settings = TrainingSettings(store_url=f"file://{tmp_path}/store", cache_dir=tmp_path / "cache")
    job = Job("a" * 64, NAME, RECIPE.model_copy(update={"ppo": slow}), "fp32", settings, 1, tmp_path)
    table = RowTable.of(rows_of(encoded, "none", 384))
    assert table.examples() == encoded
    with pytest.raises(Unscorable, match="takes too long"):
        loop.train(job, table, 0, CPU, lambda point: None)

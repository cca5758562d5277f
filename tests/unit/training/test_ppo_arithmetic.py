"""PPO's formulas, each against a small calculation of another kind."""

import math
import random

import pytest
import torch

from services.training.stages.ppo.advantages import generalized_advantages, token_rewards, whiten
from services.training.stages.ppo.coefficient import Adaptive, Fixed
from services.training.stages.ppo.divergence import an_answer, entropy, k1, k3
from services.training.stages.ppo.objectives import explained_variance, policy_loss, value_loss
from services.training.stages.ppo.runaway import WINDOW, runs_away

LENGTHS = (5, 2, 1)
MASK = torch.tensor([[step < length for step in range(5)] for length in LENGTHS])


def drawn(seed: int) -> torch.Tensor:
    return torch.randn(3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_last_token_earns_the_score_and_every_token_pays_for_its_divergence() -> None:
    divergence = drawn(0)
    rewards = token_rewards(torch.tensor([1.0, 2.0, 3.0]), divergence, MASK, 0.5)
    for row, (length, score) in enumerate(zip(LENGTHS, (1.0, 2.0, 3.0), strict=True)):
        expected = [-0.5 * float(divergence[row, step]) for step in range(length)] + [0.0] * (5 - length)
        expected[length - 1] += score
        assert rewards[row].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("discount", "trace"), [(1.0, 0.95), (0.9, 0.5), (1.0, 0.0), (0.97, 1.0)])
def test_advantages_are_the_discounted_sums_of_surprises_written_out(discount: float, trace: float) -> None:
    rewards, values = drawn(1) * MASK, drawn(2)
    advantages, returns = generalized_advantages(rewards, values, MASK, discount, trace)
    for row, length in enumerate(LENGTHS):
        seen = [*values[row, :length].tolist(), 0.0]
        surprises = [float(rewards[row, step]) + discount * seen[step + 1] - seen[step] for step in range(length)]
        for step in range(length):
            written_out = sum((discount * trace) ** (later - step) * surprises[later] for later in range(step, length))
            assert float(advantages[row, step]) == pytest.approx(written_out)
            assert float(returns[row, step]) == pytest.approx(written_out + seen[step])
        assert not advantages[row, length:].any()


def test_with_a_full_trace_a_return_is_the_sum_of_the_rewards_to_come() -> None:
    rewards = drawn(3) * MASK
    _, returns = generalized_advantages(rewards, drawn(4), MASK, 1.0, 1.0)
    for row, length in enumerate(LENGTHS):
        for step in range(length):
            assert float(returns[row, step]) == pytest.approx(float(rewards[row, step:length].sum()))


def test_whitened_advantages_have_mean_zero_and_variance_one_over_tokens_alone() -> None:
    values = drawn(5) * 7 + 3
    white = whiten(torch.where(MASK, values, 1e9), MASK)
    told = white[MASK]
    assert float(told.mean()) == pytest.approx(0, abs=1e-6)
    assert float((told**2).mean()) == pytest.approx(1, abs=1e-4)
    assert not white[~MASK].any()


def test_the_policy_loss_is_equation_seven_token_by_token() -> None:
    old, new, advantages = drawn(6), drawn(6) + 0.3 * drawn(7), drawn(8)
    told = policy_loss(new, old, advantages, MASK, 0.2)
    terms, stopped = [], 0
    for row, length in enumerate(LENGTHS):
        for step in range(length):
            ratio, gain = math.exp(float(new[row, step] - old[row, step])), float(advantages[row, step])
            held = min(max(ratio, 0.8), 1.2)
            terms.append(min(ratio * gain, held * gain))
            stopped += (gain > 0 and ratio > 1.2) or (gain < 0 and ratio < 0.8)
    assert float(told.loss) == pytest.approx(-sum(terms) / len(terms))
    assert told.clipped == pytest.approx(stopped / len(terms))
    assert 0 < stopped < len(terms), "the case has both kinds"


def test_a_token_that_moved_past_the_clip_has_no_gradient_and_one_that_moved_back_has() -> None:
    old = torch.zeros(1, 3, dtype=torch.float64)
    new = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64, requires_grad=True)
    policy_loss(new, old, torch.tensor([[1.0, -1.0, 1.0]]), torch.ones(1, 3), 0.2).loss.backward()
    assert new.grad is not None
    past, back, still = new.grad[0].tolist()
    assert past == 0
    assert back == pytest.approx(math.exp(0.5) / 3)
    assert still == pytest.approx(-1 / 3)


def test_at_the_sampled_policy_the_gradient_is_that_of_reinforce() -> None:
    old, advantages = drawn(9), drawn(10)
    new = old.clone().requires_grad_()
    policy_loss(new, old, advantages, MASK, 0.2).loss.backward()
    assert new.grad is not None
    assert torch.allclose(new.grad, -advantages * MASK / MASK.sum())


def test_the_value_loss_takes_the_worse_of_free_and_clipped() -> None:
    old, new, returns = drawn(11), drawn(12), drawn(13)
    terms = []
    for row, length in enumerate(LENGTHS):
        for step in range(length):
            was, now, wanted = (float(one[row, step]) for one in (old, new, returns))
            held = was + min(max(now - was, -0.2), 0.2)
            terms.append(max((now - wanted) ** 2, (held - wanted) ** 2) / 2)
    assert float(value_loss(new, old, returns, MASK, 0.2)) == pytest.approx(sum(terms) / len(terms))


def test_explained_variance_is_one_for_a_seer_and_nothing_for_a_constant() -> None:
    returns = drawn(14)
    assert explained_variance(returns.clone(), returns, MASK) == pytest.approx(1)
    assert explained_variance(torch.full_like(returns, 3), returns, MASK) == pytest.approx(0)


def test_both_estimators_average_to_the_divergence_itself() -> None:
    """Over all tokens, each as often as the policy samples it, instead of by sampling."""
    policy, reference = torch.log_softmax(drawn(15)[0], 0), torch.log_softmax(drawn(16)[0], 0)
    exact = sum(math.exp(p) * (p - q) for p, q in zip(policy.tolist(), reference.tolist(), strict=True))
    assert float((policy.exp() * k1(policy, reference)).sum()) == pytest.approx(exact)
    assert float((policy.exp() * k3(policy, reference)).sum()) == pytest.approx(exact)
    assert bool((k3(policy, reference) >= 0).all())
    assert bool((k1(policy, reference) < 0).any()), "k1 of a single token may be negative"


def test_divergence_is_told_an_answer() -> None:
    tokens = torch.ones(3, 5)
    assert an_answer(tokens, MASK) == pytest.approx(sum(LENGTHS) / 3)


def test_entropy_is_that_of_the_distribution() -> None:
    assert float(entropy(torch.zeros(8))) == pytest.approx(math.log(8))
    chances = torch.softmax(drawn(17)[0], 0).tolist()
    assert float(entropy(drawn(17)[0])) == pytest.approx(-sum(one * math.log(one) for one in chances), rel=1e-5)


def test_the_coefficient_rises_where_divergence_is_over_its_target_and_falls_below_it() -> None:
    price = Adaptive(0.1, target=6.0, gain=0.1)
    assert price.after(6.3).value == pytest.approx(0.1 * (1 + 0.1 * 0.05))
    assert price.after(6.0).value == pytest.approx(0.1)
    assert price.after(60.0).value == pytest.approx(0.1 * 1.02), "clipped at a fifth"
    assert price.after(-5.0).value == pytest.approx(0.1 * 0.98)
    assert Fixed(0.1).after(60.0) == Fixed(0.1)


def test_the_coefficient_settles_where_divergence_meets_its_target() -> None:
    """Of a policy whose divergence is inverse to its price, as in the optimum for a Gaussian."""
    price = Adaptive(5.0, target=2.0, gain=0.5)
    for _ in range(400):
        price = price.after(1.0 / price.value)
    assert price.value == pytest.approx(0.5, rel=0.02)


def series(start: float, slope: float, steps: int = 40) -> list[float]:
    chance = random.Random(1)
    return [start + slope * step + chance.gauss(0, 0.02) for step in range(steps)]


def test_a_reward_that_rises_while_divergence_runs_away_is_warned_of() -> None:
    rewards = series(0.2, 0.02)
    planted = [0.5 * 1.12**step for step in range(40)]
    warned = [step for step in range(1, 41) if runs_away(rewards[:step], planted[:step], limit=12.0)]
    assert warned[-1] == 40
    assert planted[warned[0] - 1] > 12, "not before it is far"


def test_healthy_runs_are_not_warned_of() -> None:
    rewards = series(0.2, 0.02)
    settled = [min(6.0, 0.4 * step) for step in range(40)]
    falling = series(0.9, -0.02)
    ran = [0.5 * 1.12**step for step in range(40)]
    level = [30.0] * 40
    for step in range(1, 41):
        assert not runs_away(rewards[:step], settled[:step], limit=12.0), "divergence stays near its target"
        assert not runs_away(falling[:step], ran[:step], limit=12.0), "the reward falls: seen without a warning"
        assert not runs_away(rewards[:step], level[:step], limit=12.0), "far away, but no longer running"
    assert not runs_away(rewards[: 2 * WINDOW - 1], ran[-2 * WINDOW + 1 :], limit=1.0), "too few steps to tell"

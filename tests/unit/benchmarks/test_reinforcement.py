"""The theory that PPO is measured against, held to a search; and the language that its benchmark judges."""

import math

import pytest

from benchmarks.reinforcement.language import example, machine_of, well_formed
from benchmarks.reinforcement.theory import optimum


@pytest.mark.parametrize("price", [0.1, 0.5, 3.0])
def test_the_optimum_is_the_best_of_all_policies(price: float) -> None:
    """Of two answers, one that earns 1 and three in four that earn nothing: every policy is one share, and all are tried."""
    shares = [at / 100_000 for at in range(1, 100_000)]
    base = 0.25

    def divergence(share: float) -> float:
        return share * math.log(share / base) + (1 - share) * math.log((1 - share) / (1 - base))

    best = max(shares, key=lambda share: share - price * divergence(share))
    reward, kl = optimum([1.0, 0.0, 0.0, 0.0], price)
    assert reward == pytest.approx(best, abs=1e-4)
    assert kl == pytest.approx(divergence(reward), abs=1e-6)


def test_the_language_knows_its_own_answers_and_no_others() -> None:
    for index in range(50):
        told = example(index, 3)
        machine = machine_of(told.instruction)
        assert well_formed(told.output, machine)
        assert not well_formed(told.output, "lathe" if machine != "lathe" else "crane"), "about another machine"
        assert not well_formed(told.output + " [p. 1] [p. 2] [p. 3] [p. 4]", machine), "more pages than it ever cites"
        assert not well_formed("[p. 1] [p. 2]", machine)

"""The chain finds what trying every sequence of labels finds, and padding changes nothing."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.cleaning.stages.crf import Chain, marginals, viterbi

LABELS = 3


def scores(luck: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return luck.normal(scale=2.0, size=shape).astype(np.float32)


def chain_of(luck: np.random.Generator) -> Chain:
    return Chain(scores(luck, LABELS, LABELS), scores(luck, LABELS), scores(luck, LABELS))


def every_sequence(emissions: NDArray[np.float32], chain: Chain) -> dict[tuple[int, ...], float]:
    return {
        labels: float(
            chain.start[labels[0]] + chain.end[labels[-1]]
            + sum(emissions[at, label] for at, label in enumerate(labels))
            + sum(chain.moves[one, other] for one, other in pairwise(labels))
        )
        for labels in product(range(LABELS), repeat=len(emissions))
    }  # fmt: skip


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_the_best_sequence_and_the_shares_are_those_of_brute_force(seed: int, lengths: list[int]) -> None:
    luck = np.random.default_rng(seed)
    chain, emissions = chain_of(luck), scores(luck, len(lengths), max(lengths), LABELS)
    given_lengths = np.array(lengths)

    best, shares = viterbi(emissions, given_lengths, chain), marginals(emissions, given_lengths, chain)

    for page, length in enumerate(lengths):
        all_scores = every_sequence(emissions[page, :length], chain)
        found = tuple(best[page, :length].tolist())
        assert all_scores[found] >= max(all_scores.values()) - 1e-3
        weights = {labels: np.exp(score - max(all_scores.values())) for labels, score in all_scores.items()}
        for at, label in product(range(length), range(LABELS)):
            expected = sum(weight for labels, weight in weights.items() if labels[at] == label) / sum(weights.values())
            assert abs(shares[page, at, label] - expected) < 1e-3


def test_no_pages_and_pages_without_lines_are_no_error() -> None:
    chain = chain_of(np.random.default_rng(0))

    assert viterbi(np.zeros((0, 0, LABELS), np.float32), np.zeros(0, np.int64), chain).shape == (0, 0)
    assert marginals(np.zeros((2, 0, LABELS), np.float32), np.zeros(2, np.int64), chain).shape == (2, 0, LABELS)

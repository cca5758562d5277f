"""From what reviewers said to what holds."""

import pytest

from shared.contracts.review import Label, Verdict
from shared.verdicts import kappa, settle


def label(verdict: Verdict, reviewer: str = "ada", mark: str = "m") -> Label:
    return Label(document="d", item="i", mark=mark, text="t", decision="kept", verdict=verdict, reviewer=reviewer, at="t")


def test_the_latest_word_of_a_reviewer_counts_and_a_word_taken_back_does_not() -> None:
    assert settle([label("garbage"), label("good")])["m"].garbage is False
    assert settle([label("garbage"), label("withdrawn")]) == {}
    assert settle([label("garbage"), label("withdrawn"), label("good")])["m"].garbage is False


def test_the_majority_decides_and_a_tie_decides_nothing() -> None:
    two = [label("garbage", "ada"), label("good", "ben")]
    assert settle(two)["m"].garbage is None
    assert settle([*two, label("good", "cleo")])["m"].garbage is False


def test_kappa_is_cohens() -> None:
    # Cohen's own kind of table: 20 and 15 agreed, 5 and 10 not.
    counts = {(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15}
    assert kappa(counts) == pytest.approx(0.4)
    assert kappa({(True, True): 3, (False, False): 4}) == pytest.approx(1)
    assert kappa({(True, True): 3}) is None and kappa({}) is None

"""Who decides: nobody takes over from the rules on luck, and a worse version does not follow a better one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.stages.held_out import Labelled, Parted, parted, report, weights
from services.cleaning.stages.review_order import is_audit
from services.cleaning.stages.takeover import Standing, gain_low, rule, scores
from shared.contracts.review import ClassifierParameters, Label, Scores
from shared.verdicts import Settled

ONE = np.ones(100)
TRUTH = np.arange(100) % 4 == 0


def flipped(count: int) -> np.ndarray:
    said = TRUTH.copy()
    said[np.random.default_rng(3).choice(100, count, replace=False)] ^= True
    return said


def f1(value: float) -> Scores:
    return Scores(precision=value, recall=value, f1=value)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_scores_are_the_textbooks(pairs: list[tuple[bool, bool]]) -> None:
    said, truth = np.array([one for one, _ in pairs]), np.array([other for _, other in pairs])
    hits = sum(one and other for one, other in pairs)
    found = scores(said, truth, np.ones(len(pairs)))
    assert found.precision == pytest.approx(hits / said.sum() if said.any() else 0)
    assert found.recall == pytest.approx(hits / truth.sum() if truth.any() else 0)
    assert found.f1 == pytest.approx(2 * hits / (said.sum() + truth.sum()) if said.any() or truth.any() else 0)


def test_a_clearly_better_classifier_takes_over() -> None:
    gain = gain_low(flipped(2), flipped(30), TRUTH, ONE, 0.95, 17)
    assert gain > 0
    ruling = rule(100, 25, 30, f1(0.95), f1(0.6), gain, None)
    assert ruling.takes_over and ruling.adopted


def test_a_classifier_that_is_better_by_a_hair_does_not() -> None:
    better, rules = flipped(20), flipped(20)
    better[np.flatnonzero(better != TRUTH)[0]] ^= True
    assert scores(better, TRUTH, ONE).f1 > scores(rules, TRUTH, ONE).f1
    assert gain_low(better, rules, TRUTH, ONE, 0.95, 17) <= 0
    assert not rule(100, 25, 30, f1(0.71), f1(0.7), 0.0, None).takes_over


def test_a_worse_classifier_is_held_back() -> None:
    assert gain_low(flipped(30), flipped(2), TRUTH, ONE, 0.95, 17) < 0


@pytest.mark.parametrize(("heldout", "garbage"), [(29, 10), (100, 0), (100, 100)])
def test_too_few_labels_or_of_one_kind_decide_nothing(heldout: int, garbage: int) -> None:
    ruling = rule(heldout, garbage, 30, f1(1.0), f1(0.1), 0.5, None)
    assert not ruling.takes_over and "too few" in ruling.why


def test_a_worse_version_does_not_follow_a_better_one_and_a_better_one_does() -> None:
    old = Standing(f1(0.9), in_charge=True)
    assert not rule(100, 25, 30, f1(0.85), f1(0.5), 0.2, old).adopted
    assert rule(100, 25, 30, f1(0.92), f1(0.5), 0.2, old).adopted
    assert not rule(100, 25, 30, f1(0.4), f1(0.5), -0.2, old).adopted


def test_a_version_in_charge_that_the_rules_beat_by_now_loses_its_charge() -> None:
    ruling = rule(100, 25, 30, f1(0.6), f1(0.7), -0.1, Standing(f1(0.5), in_charge=True))
    assert ruling.adopted and not ruling.takes_over


def settled(mark: str, garbage: bool | None, rule: str = "") -> tuple[str, Settled]:
    label = Label(
        document="d", item="i", mark=mark, text=f"text {mark}", decision="kept", rule=rule, verdict="good", reviewer="r",
        at="t",
    )  # fmt: skip
    return mark, Settled(label, garbage)


def test_no_text_is_both_learned_from_and_judged_by_whatever_document_it_is_in() -> None:
    marks = [f"{number:016x}" for number in range(400)]
    found = parted(settled(mark, number % 2 == 0) for number, mark in enumerate([*marks, *marks]))
    train, heldout = {one.text for one in found.train}, {one.text for one in found.heldout}
    assert not train & heldout and len(train) + len(heldout) == 400
    assert heldout == {f"text {mark}" for mark in marks if is_audit(mark)}
    assert len(found.heldout) == len(heldout)


def test_what_reviewers_do_not_agree_on_is_left_out_and_counted() -> None:
    assert parted([settled("a", None), settled("b", True)]).contested == 1


def test_held_out_labels_stand_for_as_many_texts_as_there_are_of_their_kind() -> None:
    heldout = [Labelled("t", "rule", True)] * 5 + [Labelled("t", "", False)] * 5
    each = weights(heldout, kept=900, set_aside=100)
    assert each[:5].sum() / each.sum() == pytest.approx(0.1)
    assert each.mean() == pytest.approx(1)
    assert list(weights(heldout, 0, 0)) == [1.0] * 10


def test_the_report_compares_with_the_rules_and_the_version_before() -> None:
    heldout = tuple(Labelled(f"t{at}", "noise" if at % 3 == 0 else "", at % 4 == 0) for at in range(120))
    truth = np.array([one.garbage for one in heldout])
    said = np.where(truth, 0.9, 0.1)
    before = np.where(truth ^ (np.arange(120) % 10 == 0), 0.8, 0.2)
    found = report(Parted((), heldout, 0), said, (before, True), (0, 0), ClassifierParameters())
    assert found.takes_over and found.adopted and found.gain_low > 0
    assert (found.after.f1, found.heldout, found.heldout_garbage) == (1.0, 120, 30)
    assert found.before is not None and found.rules.f1 < found.before.f1 < 1
    assert found.brier == pytest.approx(0.01) and found.ece == pytest.approx(0.1)

"""The rule of the alignment benchmark: what is preferred follows it, what is rejected does not, no place is on both sides."""

from benchmarks.preferring.rule import KINDS, cells, follows, preferences
from benchmarks.preferring.run import EACH, HELD_OUT_PLACES


def test_preferred_answers_follow_the_rule_and_rejected_ones_do_not() -> None:
    made = preferences(cells(), seed=3, each=EACH)
    assert len(made) == EACH * len(cells())
    assert {kind for kind, _ in made} == set(KINDS)
    assert all(follows(pair.chosen) and not follows(pair.rejected) for _, pair in made)


def test_what_is_held_out_is_never_trained_on() -> None:
    trained, held = cells()[HELD_OUT_PLACES:], cells()[:HELD_OUT_PLACES]
    assert held and not set(trained) & set(held)
    assert not {one.prompt for _, one in preferences(trained, 0, EACH)} & {one.prompt for _, one in preferences(held, 0, EACH)}

"""The simulated reviewer's texts and how its curves are read."""

from pathlib import Path

from benchmarks.reviewing.simulation import Curve, labels_needed, simulate
from benchmarks.reviewing.texts import GARBAGE, ODD, texts

SOURCES = sorted((Path(__file__).parents[3] / "examples" / "sources").glob("*.md"))


def test_texts_are_different_of_all_kinds_and_a_quarter_is_garbage() -> None:
    found = texts(SOURCES[:3], 400, seed=1)
    assert len(found) == len({one.mark for one in found}) == 400
    assert {one.kind for one in found} == {"prose", *GARBAGE, *ODD}
    assert 0.18 < sum(one.garbage for one in found) / 400 < 0.32
    assert texts(SOURCES[:3], 400, seed=1) == found


def test_no_prose_of_the_pool_is_in_the_test() -> None:
    pool, test = texts(SOURCES[:6], 200, seed=1), texts(SOURCES[6:], 200, seed=1)
    assert not {one.mark for one in pool if one.kind == "prose"} & {one.mark for one in test if one.kind == "prose"}


def test_a_goal_is_reached_where_it_is_held() -> None:
    curve = Curve(0.5, [10, 20, 30, 40], [0.9, 0.7, 0.85, 0.9])
    assert (labels_needed(curve, 0.8), labels_needed(curve, 0.9), labels_needed(curve, 0.95)) == (30, 40, None)


def test_a_simulation_learns_and_never_shows_a_text_twice() -> None:
    curve = simulate("queue", texts(SOURCES[:6], 160, seed=1), texts(SOURCES[6:], 120, seed=2), labels=120, step=60, seed=1)
    assert curve.labels == [60, 120]
    assert 0 < curve.f1[-1] <= 1

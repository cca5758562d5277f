"""Curves and histograms as SVG has them."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.web import charts

POINTS = st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e3)), max_size=40)


@given(st.dictionaries(st.sampled_from(["one", "other"]), POINTS, max_size=2))
def test_every_point_and_tick_lies_within_the_frame(curves: dict[str, list[tuple[float, float]]]) -> None:
    chart = charts.losses(curves)
    places = [tuple(map(float, pair.split(","))) for line in chart.lines for pair in line.points.split()]
    assert all(chart.left - 0.1 <= x <= chart.right + 0.1 and chart.top - 0.1 <= y <= chart.bottom + 0.1 for x, y in places)
    assert all(chart.left - 0.1 <= x <= chart.right + 0.1 for x, _ in chart.across)
    assert all(chart.top - 0.1 <= y <= chart.bottom + 0.1 for y, _ in chart.down)


def test_ticks_are_round_numbers() -> None:
    chart = charts.losses({"loss": [(0, 2.31), (240, 0.4)]})
    assert [label for _, label in chart.across] == ["0", "50", "100", "150", "200"]
    assert [label for _, label in chart.down] == ["0", "0.5", "1", "1.5", "2"]


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    line = charts.losses({"loss": [(step, 1.0) for step in range(10_000)]}).lines[0]
    assert len(line.points.split()) == charts.MOST_POINTS + 1
    assert line.points.split()[-1].startswith("704.0,")


def test_the_longest_bar_is_as_high_as_the_picture_allows() -> None:
    bars = charts.lengths([{"up_to": 64, "train": 3, "heldout": 1}, {"up_to": 128, "train": 8}])
    assert [(bar.label, bar.count, bar.height) for bar in bars] == [("≤ 64", 4, 50.0), ("≤ 128", 8, 100.0)]
    assert charts.lengths([]) == []

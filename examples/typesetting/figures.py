"""The figures: line plots of what the texts describe, computed and not measured."""

from collections.abc import Callable
from math import cos, exp, pi, sin

from reportlab.graphics.shapes import Drawing, Line, PolyLine, String
from reportlab.lib import colors

Curve = list[tuple[float, float]]


def _plot(width: float, curves: list[Curve], x_label: str, y_label: str, x_ticks: list[float], y_ticks: list[float]) -> Drawing:
    """Curves over ruled axes, `width` points wide."""
    height, left, bottom = width * 0.62, 34.0, 30.0
    (x0, x1), (y0, y1) = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])
    drawing = Drawing(width, height)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - x0) / (x1 - x0) * (width - left - 8), bottom + (y - y0) / (y1 - y0) * (height - bottom - 12)

    for y in y_ticks:
        drawing.add(Line(*place(x0, y), *place(x1, y), strokeColor=colors.lightgrey, strokeWidth=0.4))
        drawing.add(String(left - 4, place(x0, y)[1] - 2.5, f"{y:g}", fontSize=7, textAnchor="end"))
    for x in x_ticks:
        drawing.add(String(place(x, y0)[0], bottom - 10, f"{x:g}", fontSize=7, textAnchor="middle"))
    drawing.add(Line(*place(x0, y0), *place(x1, y0), strokeWidth=0.7))
    drawing.add(Line(*place(x0, y0), *place(x0, y1), strokeWidth=0.7))
    for number, curve in enumerate(curves):
        points = [coordinate for x, y in curve for coordinate in place(x, y)]
        drawing.add(PolyLine(points, strokeWidth=0.9, strokeDashArray=[3, 2] if number else None))
    drawing.add(String(width / 2, 6, x_label, fontSize=7.5, textAnchor="middle"))
    drawing.add(String(2, height - 8, y_label, fontSize=7.5))
    return drawing


def seiche_record(width: float) -> Drawing:
    def level(hours: float) -> float:
        first = 0.44 * exp(-hours / 3.6) * cos(2 * pi * hours * 60 / 47.2)
        second = 0.14 * exp(-hours / 1.1) * cos(2 * pi * hours * 60 / 19.1 + 0.8)
        return first + second

    curve = [(step / 60, level(step / 60)) for step in range(0, 601, 2)]
    return _plot(width, [curve], "hours after 21:40", "metres", [0, 2, 4, 6, 8, 10], [-0.6, -0.3, 0, 0.3, 0.6])


def tube_profile(width: float) -> Drawing:
    def calm(depth: float) -> float:
        return -3.2 + 0.1 * sin(depth) + 6.0 / (1 + exp((6.1 - depth) * 6))

    depths = [step / 20 for step in range(6, 151)]
    curves = [[(depth, calm(depth)) for depth in depths], [(depth, 2.1 + 0.12 * sin(2 * depth)) for depth in depths]]
    ticks = [0, 1.2, 3.6, 5, 6, 7.5]
    return _plot(width, curves, "metres below the transducer (dashed: windy night)", "degrees C", ticks, [-4, -2, 0, 2, 4])


def mean_level(width: float) -> Drawing:
    def level(year: int) -> float:
        trend = 3.742 - 0.0017 * (2030 - year) - 0.00002 * max(0, 2000 - year)
        return trend + 0.016 * sin(year * 1.7) * cos(year * 0.61) + 0.009 * sin(year * 0.337)

    curve = [(float(year), level(year)) for year in range(1890, 2031)]
    return _plot(width, [curve], "year", "metres", [1890, 1920, 1950, 1980, 2010, 2030], [3.4, 3.5, 3.6, 3.7, 3.8])


FIGURES: dict[str, Callable[[float], Drawing]] = {
    "seiche-record": seiche_record,
    "tube-profile": tube_profile,
    "mean-level": mean_level,
}

"""Curves as SVG, placed here so that a page shows them without a script; a script only adds the points that come later."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from shared.contracts.learning import LossPoint

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 36
TICKS = 5
NOTHING = 1e-9
MOST_POINTS = 600
BAR = 100
HELDOUT = "heldout_"


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, and its points as SVG has them."""

    name: str
    points: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram, its height in pixels."""

    label: str
    count: int
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves in one frame; ticks are a place in pixels and a label."""

    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    down: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def lengths(bins: list[dict[str, int]]) -> list[Bar]:
    """Examples, trained on and held out, by the tokens that they have at most."""
    counts = [(one["up_to"], one.get("train", 0) + one.get("heldout", 0)) for one in bins]
    most = max((count for _, count in counts), default=0) or 1
    return [Bar(f"≤ {up_to}", count, round(BAR * count / most, 1)) for up_to, count in counts]


def losses(curves: dict[str, list[tuple[float, float]]]) -> Chart:
    """Loss, or another figure, by step. Curves are thinned to what can be seen; the frame reaches below 0 where they do."""
    every = [point for points in curves.values() for point in points]
    most = _scale(max((x for x, _ in every), default=1.0))
    lowest = min(0.0, *(y for _, y in every)) * 1.05 if every else 0.0
    highest = _scale(max((y for _, y in every), default=1.0) * 1.05, lowest)
    across, down = (WIDTH - LEFT - RIGHT) / most, (HEIGHT - TOP - BOTTOM) / (highest - lowest)
    floor_at = HEIGHT - BOTTOM + lowest * down
    lines = tuple(
        Line(name, " ".join(f"{LEFT + x * across:.1f},{floor_at - y * down:.1f}" for x, y in _thinned(points)))
        for name, points in curves.items()
    )
    steps, heights = _ticks(most), _ticks(highest, lowest)
    return Chart(
        lines, tuple((LEFT + x * across, f"{x:,g}") for x in steps),
        tuple((floor_at - y * down, f"{y:,g}") for y in heights),
    )  # fmt: skip


def metrics(curve: Sequence[LossPoint]) -> dict[str, Chart]:
    """A chart for each metric that the run's method measures; what was measured on held-out pairs lies in its metric's."""
    names = dict.fromkeys(name for point in curve for name in point.metrics)
    return {
        name.replace("_", " "): losses({
            told: [(float(point.step), point.metrics[key]) for point in curve if key in point.metrics]
            for told, key in (("training", name), ("held out", HELDOUT + name)) if key in names
        })
        for name in names if not name.startswith(HELDOUT)
    }  # fmt: skip


def _scale(most: float, least: float = 0.0) -> float:
    """Where an axis ends: what is next to nothing is drawn as nothing."""
    return most if most - least > NOTHING else least + 1.0


def _ticks(most: float, least: float = 0.0) -> list[float]:
    """Round numbers between the two, 0 among them, about five."""
    span = most - least
    size = 10 ** floor(log10(span / TICKS))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * TICKS >= span)
    return [step * at for at in range(-int(-least / step), int(most / step) + 1)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= MOST_POINTS:
        return points
    step = len(points) / MOST_POINTS
    return [points[int(at * step)] for at in range(MOST_POINTS)] + [points[-1]]

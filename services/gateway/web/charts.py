"""Curves as SVG, placed here so that a page shows them without a script; a script only adds the points that come later."""

from dataclasses import dataclass
from math import floor, log10

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 36
TICKS = 5
MOST_POINTS = 600
BAR = 100


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
    """Loss by step. Curves are thinned to what can be seen."""
    every = [point for points in curves.values() for point in points]
    most = max((x for x, _ in every), default=1.0) or 1.0
    highest = max((y for _, y in every), default=1.0) * 1.05 or 1.0
    across, down = (WIDTH - LEFT - RIGHT) / most, (HEIGHT - TOP - BOTTOM) / highest
    lines = tuple(
        Line(name, " ".join(f"{LEFT + x * across:.1f},{HEIGHT - BOTTOM - y * down:.1f}" for x, y in _thinned(points)))
        for name, points in curves.items()
    )
    steps, heights = _ticks(most), _ticks(highest)
    return Chart(
        lines, tuple((LEFT + x * across, f"{x:,g}") for x in steps),
        tuple((HEIGHT - BOTTOM - y * down, f"{y:,g}") for y in heights),
    )  # fmt: skip


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 up to `most`, about five of them."""
    size = 10 ** floor(log10(most / TICKS))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * TICKS >= most)
    return [step * at for at in range(int(most / step) + 1)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= MOST_POINTS:
        return points
    step = len(points) / MOST_POINTS
    return [points[int(at * step)] for at in range(MOST_POINTS)] + [points[-1]]

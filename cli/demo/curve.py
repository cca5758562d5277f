"""The loss curve as an SVG of its own, in the page's colours."""

from collections.abc import Sequence

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 16, 36
SMOOTHING = 0.6


def smoothed(values: Sequence[float]) -> list[float]:
    """An exponential moving average, begun at the first value."""
    made: list[float] = []
    for value in values:
        made.append(value if not made else SMOOTHING * made[-1] + (1 - SMOOTHING) * value)
    return made


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `count` of them."""
    span = max(high - low, 1e-9)
    magnitude = 10.0 ** _floor_log10(span / count)
    step = next(step * magnitude for step in (1, 2, 2.5, 5, 10) if span / (step * magnitude) <= count)
    first = int(low // step)
    made = [first * step]
    while made[-1] < high - 1e-9 * step:
        made.append((first + len(made)) * step)
    return made


def loss_svg(steps: Sequence[int], losses: Sequence[float]) -> str:
    """An inline SVG of the loss by step: every point, and a smoothed line. Empty where there are no points."""
    if not steps:
        return ""
    rows, last = ticks(min(losses), max(losses)), max(1, *steps)
    low, high = rows[0], rows[-1] if rows[-1] > rows[0] else rows[0] + 1

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in zip(steps, values, strict=True))

    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(row):.1f}" y2="{y(row):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(row) + 4:.1f}" text-anchor="end">{row:g}</text>'
        for row in rows
    )
    columns = "".join(
        f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{step:g}</text>'
        for step in ticks(0, last)
        if step <= last and step == int(step)
    )
    dots = "".join(f'<circle cx="{x(step):.1f}" cy="{y(loss):.1f}" r="2.5"/>' for step, loss in zip(steps, losses, strict=True))
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Training loss by step">{grid}{columns}'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 2}" text-anchor="middle">optimizer step</text>'
        f'<g class="points">{dots}</g><polyline class="line" points="{line(smoothed(losses))}"/></svg>'
    )


def _floor_log10(value: float) -> int:
    exponent = 0
    while value >= 10:
        value, exponent = value / 10, exponent + 1
    while value < 1:
        value, exponent = value * 10, exponent - 1
    return exponent

"""A loss curve on one line of a terminal."""

from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"


def sparkline(losses: list[float], width: int = 60) -> Text:
    """The loss by step as a line of bars."""
    if not losses:
        return Text("")
    step = max(1, -(-len(losses) // width))
    values = [sum(losses[at : at + step]) / len(losses[at : at + step]) for at in range(0, len(losses), step)]
    low, high = min(values), max(values)
    bars = "".join(BARS[round((value - low) / (high - low or 1) * (len(BARS) - 1))] for value in values)
    return (
        Text()
        .append(f"loss {values[0]:.3f} ", style="dim")
        .append(bars, style="cyan")
        .append(f" {values[-1]:.3f}", style="dim")
    )

"""How values are said to people: sizes, times, states and stages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

STAGES = {
    "extraction": "Extracting", "cleaning": "Cleaning", "chunking": "Chunking", "screening": "Screening",
    "classifier": "Learning from labels", "dataset": "Assembling", "training": "Training", "evaluation": "Evaluating",
    "export": "Exporting",    "deployment": "Deploying", "tuning": "Trying settings",
}  # fmt: skip

STATES = {
    "queued": "Waiting for a worker", "waiting": "Will be tried again", "running": "Working", "done": "Done",
    "failed": "Refused", "dead": "Given up", "cancelled": "Called off",
}  # fmt: skip

ROLES = {"read": "viewer", "write": "reviewer", "admin": "admin"}


def size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def when(at: str | None) -> str:
    """A moment, to the minute, in UTC."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%-d %b %Y, %H:%M") if at else ""


def number(value: float | int | None, digits: int = 2) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def memory(count: int | None) -> str:
    """In the binary units that makers of GPUs count in."""
    return "–" if count is None else f"{count / (1 << 30):.1f} GiB"


def on_the_way(state: str, stage: str) -> str:
    """What a piece of work is at, in a few words."""
    if state == "running":
        return STAGES.get(stage, stage)
    if state == "queued" and stage not in ("extraction", "dataset", "training"):
        return f"Waits for {stage}"
    return STATES.get(state, state)


def role(scopes: tuple[str, ...]) -> str:
    highest = max(scopes, key=("read", "write", "admin").index)
    return ROLES[highest]


FILTERS: dict[str, Callable[..., Any]] = {
    "size": size, "when": when, "number": number, "duration": duration, "memory": memory, "role": role,
}  # fmt: skip
FILTERS["on_the_way"] = on_the_way
FILTERS["stage"] = lambda name: STAGES.get(name, name)

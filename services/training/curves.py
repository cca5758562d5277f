"""Curve files: a point a line, appended to while a run trains and read by whoever watches it."""

from collections.abc import Sequence
from pathlib import Path

from services.training.stages.curve import merge
from shared.contracts.learning import LossPoint


def append_point(path: Path, point: LossPoint) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{point.model_dump_json()}\n")


def write_curve(path: Path, points: Sequence[LossPoint]) -> None:
    """The whole curve, each step once."""
    path.write_text("".join(f"{point.model_dump_json()}\n" for point in merge(points)), encoding="utf-8")


def read_curve(path: Path) -> list[LossPoint]:
    """The points of a curve file, each step once; a last line still being written is left for later."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return merge(LossPoint.model_validate_json(line) for line in lines)

"""The curve of a run as TensorBoard's event files, where settings name a directory for them."""

from collections.abc import Callable
from pathlib import Path

from services.training.stages.curve import pace
from shared.contracts.learning import LossPoint
from shared.ids import short


def told_too(tell: Callable[[LossPoint], None], directory: Path | None, run: str) -> Callable[[LossPoint], None]:
    """`tell`, and the same points to `<directory>/<run>`. A point told again after a kill takes the place of the first."""
    if directory is None:
        return tell
    from tensorboardX import SummaryWriter  # noqa: PLC0415 - only where it is wanted

    writer = SummaryWriter(str(directory / short(run)), max_queue=1, flush_secs=0)  # written by a thread, at once
    before: list[LossPoint] = []

    def both(point: LossPoint) -> None:
        tell(point)
        before.append(point)
        for name, value in _scalars(point, before).items():
            writer.add_scalar(name, value, point.step)

    return both


def _scalars(point: LossPoint, before: list[LossPoint]) -> dict[str, float]:
    scalars = {
        **{f"train/{name}": value for name, value in point.metrics.items()},
        "train/loss": point.loss, "train/learning_rate": point.learning_rate, "train/memory_bytes": float(point.memory_bytes),
        "train/tokens_per_second": pace(before).tokens_per_second,
    }  # fmt: skip
    return scalars if point.heldout_loss is None else {**scalars, "heldout/loss": point.heldout_loss}

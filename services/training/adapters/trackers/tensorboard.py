"""TensorBoard: event files, a directory a run."""

from collections.abc import Sequence
from pathlib import Path

from tensorboardX import SummaryWriter

from services.training.adapters.trackers.protocol import End, Figures
from shared.ids import short


class TensorBoard:
    """One run's event files. They are begun anew by whoever opens them, who is told the curve from its first step."""

    name = "tensorboard"

    def __init__(self, directory: Path, run: str) -> None:
        self._directory = directory / short(run)
        self._writer: SummaryWriter | None = None

    def open(self) -> int:
        for stale in self._directory.glob("events.out.tfevents.*"):
            stale.unlink()
        self._writer = SummaryWriter(str(self._directory), max_queue=1, flush_secs=1)
        return 0

    def tell(self, figures: Sequence[Figures]) -> None:
        assert self._writer is not None
        for one in figures:
            for name, value in one.values.items():
                self._writer.add_scalar(name, value, one.step, walltime=one.at)

    def close(self, end: End) -> None:
        if self._writer is not None:
            self._writer.close()

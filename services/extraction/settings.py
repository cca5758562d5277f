"""Settings of extraction workers."""

import os

from pydantic import Field

from shared.settings import SharedSettings


class ExtractionSettings(SharedSettings):
    """How many processes read a long document, and the model for pages with formulas."""

    extraction_processes: int | None = Field(None, ge=1, description="Ranges of a long document read at once; None: all cores.")
    nougat_weights: str | None = Field(
        None,
        description="Directory or hub name of a Nougat model, for instance facebook/nougat-base. None by default: the weights "
        "that its authors published are for non-commercial use (CC-BY-NC 4.0), and a CPU reads a page in minutes.",
    )
    nougat_batch_size: int = Field(4, ge=1, le=64, description="Pages that Nougat reads at once.")
    nougat_device: str | None = Field(None, description="`cuda`, `cpu`, ...; None: a GPU where there is one.")

    @property
    def processes(self) -> int:
        return self.extraction_processes or len(os.sched_getaffinity(0))

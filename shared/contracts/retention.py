"""What a model still knows of what earlier versions learned, and which version of a name was promoted."""

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.learning import Measured, SetScore


class Cell(Contract):
    """One version on one held-out set. `rise` is against the best earlier version that was measured on the same examples."""

    score: SetScore | None = Field(description="None: this version was not measured on this set.")
    rise: float | None = Field(
        None, description="Loss above that of the best earlier version, in nats; below 0: it got better."
    )
    worse: bool = Field(False, description="It rose, and the two confidence intervals part.")


class MatrixSet(Contract):
    """A column: a held-out set."""

    set: str
    name: str
    digest: str


class MatrixRow(Contract):
    """A version: the base, an earlier one of the name, or the model asked of. A cell for each set."""

    version: str
    cells: tuple[Cell, ...]


class Change(Contract):
    """What became of one set: the best that an earlier version had, and what this one has."""

    set: str
    name: str
    best: str = Field(description="The earlier version that was best.")
    before: Measured
    after: Measured
    rise: float
    worse: bool


class ForgettingReport(Contract):
    """Versions by held-out sets, oldest first, and what the model asked of forgot."""

    model: str
    name: str
    sets: tuple[MatrixSet, ...]
    versions: tuple[MatrixRow, ...]
    changes: tuple[Change, ...]

    @property
    def forgot(self) -> tuple[Change, ...]:
        """Worse beyond noise, the worst first."""
        return tuple(sorted((one for one in self.changes if one.worse), key=lambda one: -one.rise))


class Promotion(Contract):
    """A version that was made the one which its name means. The latest of the series counts."""

    name: str
    model: str
    limit: float = Field(description="The greatest rise of loss that was allowed, in nats.")
    forgot: tuple[Change, ...] = Field((), description="Sets that it is worse on beyond noise.")
    forced: bool = Field(False, description="It forgot more than was allowed, and was promoted all the same.")
    reason: str = ""
    by: str = Field("", description="Name of the key that asked.")
    at: str

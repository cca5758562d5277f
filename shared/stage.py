"""What a stage's handler is given, and what it may answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shared.contracts.base import Contract
from shared.contracts.work import Rejected, Work

W_co = TypeVar("W_co", bound=Work, covariant=True)


class StageContext(Protocol[W_co]):
    """The world as one attempt at a stage sees it."""

    @property
    def work(self) -> W_co:
        """The message that asked for this."""

    @property
    def key(self) -> str:
        """The name of the result being made."""

    @property
    def out(self) -> Path:
        """An empty directory; every file left in it (or below) becomes an output of the stage."""

    @property
    def scratch(self) -> Path:
        """A directory for anything else; it is gone when the attempt ends."""

    def fetch_object(self, path: str) -> Path:
        """An object of the store as a local file. Raises NotFound."""

    def fetch(self, stage: str, key: str, file: str) -> Path:
        """An output of an earlier stage as a local file. Raises NotFound."""

    def result(self, stage: str, key: str) -> dict[str, object]:
        """What an earlier stage said of itself. Raises NotFound."""

    def keep(self, file: Path) -> None:
        """Keep a file, by its name, for later attempts at this same result, should this one be cut short."""

    def recall(self, target: Path) -> bool:
        """Fetch what an earlier attempt kept under the target's name. False where nothing was kept."""

    def progress(self, done: int, total: int, unit: str, **fields: float | int | str) -> None:
        """Tell those who watch how far it is (said at most twice a second, and at the end). Raises Cancelled where the
        user called the work off, so a long stage calls this often."""


Handler = Callable[[StageContext[Any]], Contract | Rejected]
"""A stage's result, a refusal of its input, or an exception for what is broken (`retryable` ones are tried again)."""

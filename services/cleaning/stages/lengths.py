"""How long a dataset's examples are: counted as they are written, told as bins."""

from collections import Counter
from collections.abc import Iterator

from shared.contracts.datasets import LengthBin

BIN_TOKENS = 32
BINS = 64
"""Longer examples share the last bin."""


class Lengths:
    """Tokens of examples, in bins of 32."""

    def __init__(self) -> None:
        self._sides: tuple[Counter[int], Counter[int]] = (Counter(), Counter())

    def add(self, tokens: int, heldout: bool) -> None:
        self._sides[heldout][min(max(tokens - 1, 0) // BIN_TOKENS, BINS - 1)] += 1

    def bins(self) -> tuple[LengthBin, ...]:
        """From the first bin with an example in it to the last."""
        return tuple(self._bins())

    def _bins(self) -> Iterator[LengthBin]:
        train, heldout = self._sides
        used = [*train, *heldout]
        for number in range(min(used, default=0), max(used, default=-1) + 1):
            yield LengthBin(up_to=(number + 1) * BIN_TOKENS, train=train[number], heldout=heldout[number])

"""Which examples of earlier datasets a run that starts from a tuned model trains on again (rehearsal; Robins 1995)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from shared.contracts.documents import Chunk
from shared.contracts.learning import Example
from shared.rehearsal import draw, fingerprint

LEAST_QUALITY = 0.01
"""Of a chunk that was kept all the same: whatever is in a dataset can be drawn."""


@dataclass(slots=True)
class Barred:
    """What is not replayed: what any dataset of the ancestry holds out, and what is trained on already."""

    said: set[bytes]
    documents: set[str]
    chunks: set[str]

    @classmethod
    def none(cls) -> Self:
        return cls(set(), set(), set())

    def hold_out(self, train: Iterable[Example], heldout: Iterable[Example]) -> None:
        """A dataset's held-out examples with their chunks, and its documents that are held out as a whole."""
        documents: set[str] = set()
        for one in heldout:
            self.said.add(fingerprint(one))
            self.chunks.add(one.chunk)
            documents.add(one.document)
        self.documents |= documents - {one.document for one in train}

    def admits(self, example: Example) -> bool:
        """Whether it may be replayed; each that says the same is admitted once."""
        name = fingerprint(example)
        if name in self.said or example.chunk in self.chunks or example.document in self.documents:
            return False
        self.said.add(name)
        return True


def quality(chunk: Chunk) -> float:
    """How good a chunk is to train on: what the classifier of garbage thinks of it where people did not speak, halved for
    each flag of cleaning."""
    garbage = 0.0 if chunk.decided_by == "people" else chunk.probability or 0.0
    return float(max(LEAST_QUALITY, 1 - garbage) * 0.5 ** len(chunk.flags))


def lot(seed: int, example: str, weight: float = 1.0) -> float:
    """Who is drawn first: the lowest. The n lowest are a sample without replacement in which weights decide (Efraimidis and
    Spirakis 2006); with equal weights it is a reservoir's, each as likely as another."""
    return -math.log1p(-draw(seed, example)) / weight

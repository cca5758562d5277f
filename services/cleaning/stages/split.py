"""Which examples are held out: by drawing that depends on nothing but the seed and a name."""

from collections.abc import Mapping, Sequence
from math import ceil

from shared.contracts.learning import DatasetParameters
from shared.rehearsal import draw


def heldout_documents(documents: Sequence[str], parameters: DatasetParameters) -> frozenset[str]:
    """The share with the lowest draws, at least one and not all: another document moves at most one to the other side."""
    drawn = sorted(documents, key=lambda document: draw(parameters.seed, document))
    wanted = max(1, min(len(drawn) - 1, round(parameters.heldout_share * len(drawn))))
    return frozenset(drawn[:wanted])


def heldout_chunks(document: str, chunks: Sequence[str], parameters: DatasetParameters) -> frozenset[str]:
    """A run of neighbouring chunks: they share sentences, so that scattered ones would be half known from training."""
    if len(chunks) < 2:
        return frozenset()
    wanted = min(len(chunks) - 1, ceil(parameters.heldout_share * len(chunks)))
    start = int(draw(parameters.seed, document) * (len(chunks) - wanted + 1))
    return frozenset(chunks[start : start + wanted])


def shares_a_page(pages: Mapping[str, frozenset[int]], heldout: frozenset[str]) -> frozenset[str]:
    """Of one document's chunks those that are not held out, but stand on a page of one that is."""
    closed = frozenset[int]().union(*(pages[chunk] for chunk in heldout))
    return frozenset(chunk for chunk, on in pages.items() if chunk not in heldout and on & closed)

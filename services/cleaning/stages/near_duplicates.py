"""Which chunks say what another says already, and which of the copies stays.

MinHash with banding (Broder 1997; Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4) only proposes pairs. A
chunk is dropped where its exact Jaccard similarity with a chunk that is kept reaches the threshold, so neither a collision
nor a chain of ever less similar texts loses anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.cleaning.stages.shingles import Hashes, jaccard

RECALL = 0.99
"""The share of pairs just at the threshold that banding must propose."""
KEPT_A_BUCKET = 16
PROPOSED = 32
"""Bounds for texts that are made to collide: kept chunks remembered a bucket, and pairs compared a chunk."""

Rows = npt.NDArray[np.int64]
ShinglesOf = Callable[[int], Hashes]


class Bands(NamedTuple):
    """`keys` a text, each over `rows` hashes of its signature. None where only exact copies are looked for."""

    keys: int
    rows: int


class Link(NamedTuple):
    """A chunk that is dropped, the chunk that is kept in its place, and how alike they are."""

    duplicate: int
    kept: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What a chunk's place among its copies depends on; arrays of one entry a chunk, in the order of the dataset.
    `shelf` numbers its document, `size` is how many chunks that document has, `priority` 0 comes before 1."""

    priority: npt.NDArray[np.uint8]
    words: npt.NDArray[np.uint32]
    size: npt.NDArray[np.uint32]


def bands(threshold: float, permutations: int) -> Bands:
    """As many rows a band as still propose nearly all pairs at the threshold: more rows propose fewer pairs in vain."""
    if threshold >= 1:
        return Bands(0, 0)
    for rows in range(permutations, 0, -1):
        count = permutations // rows
        if 1 - (1 - threshold**rows) ** count >= RECALL:
            return Bands(count, rows)
    return Bands(permutations, 1)


def best_first(standing: Standing) -> Rows:
    """The best copy: of this dataset before replay; then the longest; then of the longest document; then the first."""
    order = np.arange(len(standing.words))
    keys = (order, -standing.size.astype(np.int64), -standing.words.astype(np.int64), standing.priority)
    return np.lexsort(keys).astype(np.int64)


def first_copies(identity: Hashes, order: Rows) -> Rows:
    """For each chunk the best of those with the same words in the same order: itself, where it is that one."""
    ranked = identity[order]
    groups = np.lexsort((np.arange(len(order)), ranked[:, 1], ranked[:, 0]))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (ranked[groups[1:]] != ranked[groups[:-1]]).any(axis=1)
    first = groups[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))]
    copies = np.empty(len(order), np.int64)
    copies[order[groups]] = order[first]
    return copies


def buckets(keys: Hashes, wanted: npt.NDArray[np.bool_], begin: int) -> tuple[npt.NDArray[np.int32], int]:
    """A number for each chunk that shares its key of a band with another, 0 for the others; and the next free number."""
    rows = np.flatnonzero(wanted)
    found = np.zeros(len(keys), np.int32)
    order = rows[np.argsort(keys[rows], kind="stable")]
    if len(order) < 2:
        return found, begin
    same = np.concatenate(([False], keys[order[1:]] == keys[order[:-1]], [False]))
    shared = same[1:] | same[:-1]
    number = np.cumsum(~same[:-1] & same[1:])
    found[order[shared]] = (number[shared] + begin - 1).astype(np.int32)
    return found, begin + int(number[-1])


def near_links(
    candidates: Rows, shared: npt.NDArray[np.int32], kept: npt.NDArray[np.int32], shingles_of: ShinglesOf, threshold: float
) -> Iterator[Link]:
    """Goes through the candidates, the best first: each is a duplicate of a chunk kept before it, or is kept.

    `shared` [n, bands] holds the buckets of each chunk; `kept` [buckets, KEPT_A_BUCKET], of zeros, is where the kept ones
    of each bucket are noted. Both may lie on a disk.
    """
    for row in candidates.tolist():
        numbers = [number for number in shared[row].tolist() if number]
        link = _nearest(row, _proposed(kept[numbers]), shingles_of, threshold)
        if link is not None:
            yield link
            continue
        for number in numbers:
            free = np.flatnonzero(kept[number] == 0)
            if len(free):
                kept[number, free[0]] = row + 1


def _proposed(kept: npt.NDArray[np.int32]) -> list[int]:
    """Kept chunks that share a bucket, those that share most first."""
    rows, counts = np.unique(kept[kept > 0], return_counts=True)
    return [int(row) - 1 for row in rows[np.argsort(-counts, kind="stable")][:PROPOSED]]


def _nearest(row: int, proposed: list[int], shingles_of: ShinglesOf, threshold: float) -> Link | None:
    if not proposed:
        return None
    own = shingles_of(row)
    alike = [(jaccard(own, shingles_of(other)), other) for other in proposed]
    similarity, other = max(alike, key=lambda one: (one[0], -one[1]))
    return Link(row, other, similarity) if similarity >= threshold else None

"""MinHash signatures, by rensa (Rust; Broder 1997 with the permutations of Li & Li 2022), and the LSH bands made of them."""

from dataclasses import dataclass

import numpy as np
from rensa import RMinHash

from services.cleaning.stages.near_duplicates import Bands, bands
from services.cleaning.stages.shingles import Hashes, Shingled, Shingler
from shared.contracts.datasets import NearDuplicateParameters

_SEED = 0x1EC7E52
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Sketched:
    """Some texts as they are compared: their shingles, and for each a key a band, `keys` [n, bands]."""

    shingled: Shingled
    keys: Hashes


class Sketcher:
    """Sketches texts, batch by batch. The same parameters give the same sketches in every process."""

    def __init__(self, parameters: NearDuplicateParameters) -> None:
        self._shingler = Shingler(parameters.shingle_words)
        self._bands: Bands = bands(parameters.threshold, parameters.permutations)

    def __call__(self, texts: list[str]) -> Sketched:
        shingled = self._shingler(texts)
        return Sketched(shingled, self._keys(shingled))

    def _keys(self, shingled: Shingled) -> Hashes:
        count, rows = self._bands
        texts = len(shingled.words)
        if not count or not texts:
            return np.zeros((texts, count), np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingled.shingles, shingled.offsets, count * rows, _SEED)
        signatures = np.array(matrix.to_rows(), np.uint64).reshape(texts, count, rows)
        keys = np.zeros((texts, count), np.uint64)
        for row in range(rows):
            keys = (keys ^ signatures[:, :, row]) * _STEP
            keys ^= keys >> np.uint64(29)
        return keys

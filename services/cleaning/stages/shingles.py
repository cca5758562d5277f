"""Text → words → hashed shingles: what two chunks are compared by when a dataset looks for near-duplicates.

All of it is hashes of 64 bits in arrays, so that a million chunks are compared without holding their text.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W{_WITHOUT_SPACES}]+|[-+<>=*/^%$\\](?=\s)")
"""Runs of letters and digits; single characters of scripts that put no spaces between words; and operators, for two formulas
that differ by a sign are not the same. Other punctuation does not count."""

_MEMO_WORDS = 1_000_000
_STEP = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as in splitmix64 (Steele et al. 2014)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Shingled:
    """Some texts. `identity` [n, 2] is equal for texts of the same words in the same order; the shingles of text i are
    `shingles[offsets[i]:offsets[i + 1]]`, in order and with repetitions."""

    identity: Hashes
    words: npt.NDArray[np.uint32]
    shingles: Hashes
    offsets: Hashes


class Shingler:
    """Makes shingles of so many words; one that is kept remembers the words it met."""

    def __init__(self, words: int) -> None:
        self._words = words
        self._memo = _Memo()

    def __call__(self, texts: Sequence[str]) -> Shingled:
        found = [words_of(text) for text in texts]
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        hashes = np.fromiter(map(self._memo.__getitem__, chain.from_iterable(found)), np.uint64, int(lengths.sum()))
        self._memo.forget_many()
        shingles, counts = _shingles(hashes, lengths, self._words)
        offsets = np.zeros(len(found) + 1, np.uint64)
        np.cumsum(counts, out=offsets[1:])
        identity = np.frombuffer(b"".join(map(_identity, found, texts)), np.uint64).reshape(-1, 2)
        return Shingled(identity, lengths.astype(np.uint32), shingles, offsets)


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: one spelling of compatible characters, small letters."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def jaccard(one: Hashes, other: Hashes) -> float:
    """|A ∩ B| / |A ∪ B| of two sets, each sorted and without repetitions."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    united = len(one) + len(other) - shared
    return shared / united if united else 1.0


def _identity(words: list[str], text: str) -> bytes:
    """A text without words is known by its characters."""
    said = "\x1f".join(words) if words else f"\x1e{text}"
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _shingles(words: Hashes, lengths: npt.NDArray[np.int64], size: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """A shingle begins at every word that has `size - 1` words behind it; a shorter text is one shingle, of all its words."""
    reach = np.minimum(lengths, size)
    counts = np.where(lengths > 0, lengths - reach + 1, 0)
    ends = np.repeat(np.cumsum(lengths), lengths)
    width = np.repeat(reach, lengths)
    begins = np.arange(len(words)) + width <= ends
    at, width = np.flatnonzero(begins), width[begins]
    hashes = words[at]
    for step in range(1, size):
        longer = width > step
        added = (hashes[longer] * _STEP) ^ words[at[longer] + step]
        hashes[longer] = added ^ (added >> np.uint64(29))
    return _mixed(hashes), counts


def _mixed(hashes: Hashes) -> Hashes:
    """splitmix64's finish: every bit of the sum reaches every bit of the result."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX_1
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX_2
    return np.asarray(hashes ^ (hashes >> np.uint64(31)), np.uint64)


class _Memo(dict[str, int]):
    """Word → its hash, the same in every process (which `hash` is not)."""

    def __missing__(self, word: str) -> int:
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self[word] = value = int.from_bytes(digest, "little")
        return value

    def forget_many(self) -> None:
        if len(self) > _MEMO_WORDS:
            self.clear()

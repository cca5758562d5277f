"""Text → numbers for the garbage classifier: hashed n-grams of characters and words, and the shape of the text in tokens.

The three parts are normed each for itself, so that the few tokens of shape are not drowned by hundreds of n-grams.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

CHARACTERS, WORDS, SHAPES = 1 << 17, 1 << 16, 1 << 12
SIZE = CHARACTERS + WORDS + SHAPES
STARTS = (0, CHARACTERS, CHARACTERS + WORDS, SIZE)

MOST_CHARACTERS = 8_000
"""A text is known by its beginning; the longest line of a hostile document costs no more than this."""

GRAMS = (2, 3, 4)

_WORD = re.compile(r"[^\W\d_]+|\d+")
_SPACE = re.compile(r"\s+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(1_000_003)


@dataclass(frozen=True, slots=True)
class Bag:
    """The features of one text: where, and how often."""

    places: NDArray[np.int64]
    counts: NDArray[np.float32]


def bag(text: str, rule: str) -> Bag:
    """The features of a text and of the rule that set it aside (empty: none did)."""
    text = text[:MOST_CHARACTERS]
    words = [word.casefold() if word.isalpha() else "0" * len(word) for word in _WORD.findall(text)]
    shape = [crc32(token.encode()) % SHAPES for token in (f"rule:{rule}", *_shape(text, words))]
    found = np.concatenate(
        [_characters(text), _words(words) + CHARACTERS, np.array(shape, dtype=np.int64) + CHARACTERS + WORDS]
    )
    places, counts = np.unique(found, return_counts=True)
    return Bag(places, counts.astype(np.float32))


def _characters(text: str) -> NDArray[np.int64]:
    """Hashes of runs of 2 to 4 characters; a digit is a digit, and any white space one space."""
    plain = re.sub(r"\d", "0", _SPACE.sub(" ", f" {text} "))
    codes = np.frombuffer(plain.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    return np.concatenate([_hashed(codes, size) % np.uint64(CHARACTERS) for size in GRAMS]).astype(np.int64)


def _words(words: list[str]) -> NDArray[np.int64]:
    """Hashes of words and of pairs of neighbours."""
    codes = np.array([crc32(word.encode("utf-8", "replace")) for word in words], dtype=np.uint64)
    return np.concatenate([_hashed(codes, size) % np.uint64(WORDS) for size in (1, 2)]).astype(np.int64)


def _hashed(codes: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """A hash of each run of `size` codes (multiplicative, Knuth, The Art of Computer Programming 3, 6.4)."""
    runs = max(0, len(codes) - size + 1)
    mixed = np.full(runs, size, dtype=np.uint64)
    for offset in range(size):
        mixed = mixed * _STEP + codes[offset : offset + runs]
    return (mixed * _MULTIPLIER) >> np.uint64(40)


def _shape(text: str, words: list[str]) -> Iterator[str]:
    """What a text looks like, in tenths and in powers of two."""
    visible = [char for char in text if not char.isspace()]
    for name, share in (
        ("letters", _share(visible, str.isalpha)), ("digits", _share(visible, str.isdigit)),
        ("capitals", _share(visible, str.isupper)), ("ascii", _share(visible, str.isascii)),
        ("printable", _share(visible, str.isprintable)), ("single", _share(words, lambda word: len(word) == 1)),
        ("different", len(set(words)) / max(1, len(words))), ("spaces", text.count(" ") / max(1, len(text))),
    ):  # fmt: skip
        yield f"{name}:{round(10 * share)}"
    yield f"words:{round(log2(1 + len(words)))}"
    yield f"mean:{round(sum(map(len, words)) / max(1, len(words)))}"
    yield f"lines:{round(log2(1 + text.count(chr(10))))}"
    yield f"ends:{text.rstrip()[-1:].isalnum()}"


def _share(items: list[str], is_one: Callable[[str], bool]) -> float:
    return sum(map(is_one, items)) / max(1, len(items))


def weighted(one: Bag, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """TF-IDF of a bag's places, logarithmic in the counts, each of the three parts of length 1."""
    values = (np.float32(1.0) + np.log(one.counts)) * idf[one.places]
    for first, end in pairwise(STARTS):
        left, right = np.searchsorted(one.places, (first, end))
        if (norm := float(np.linalg.norm(values[left:right]))) > 0:
            values[left:right] /= np.float32(norm)
    return values

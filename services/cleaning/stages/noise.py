"""Words that are none: what OCR makes of bad scans, told by wordfreq's lists and the three-letter sequences of their words."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from math import log

import numpy as np
from wordfreq import available_languages, cB_to_freq, read_cBpack

MIN_WORDS, FEW_WORDS = 12, 30
"""Fewer words of a text say too little; up to 30 words, a text is judged as if it had 30: two strange words are no noise."""

NAME_WEIGHT = 0.5
"""An unknown word with a capital or a digit in it may be a name or a unit: it counts half."""

SEEMLY = -2.3
"""Mean log-probability of a letter behind the two before it, above which an unknown word is built like the known ones."""

MOST_LANGUAGES = 8
"""So many lists of words, some 40 MB each, are held at once: now and then a text is taken for one of a strange language."""

WORDS_AT_ONCE = 50_000

LONGEST = 60
"""What is longer is no word: it is not remembered as a whole."""

WITHOUT_SPACES = frozenset({"zh", "ja", "ko"})

_SMOOTHING = 0.5
_LETTERS = 40
_EDGES = ".,;:!?()[]{}<>|\"'“”‘’„«»‹›…–—-*_`=+/\\$%&#@~^°•·©®"
_PARTS = re.compile(r"[-–’'/.]")
_IDENTIFIER = re.compile(r"[\\_=@#/<>{}$^]|\(\)|://|\A[A-Z0-9.]+\Z|[a-z][A-Z]|\A[A-Za-z]?\d")


@lru_cache(maxsize=1)
def judged() -> frozenset[str]:
    """Languages whose words are known and stand between spaces."""
    return frozenset(available_languages("small")) - WITHOUT_SPACES


def noise_share(text: str, language: str) -> float:
    """Share of words that are none of the language. Names, formulas and identifiers count half or not at all."""
    tokens = (token if len(token) <= LONGEST else token.strip(_EDGES)[:LONGEST] for token in text.split())
    weights = [weight for weight in map(_weight_of, tokens, repeat(language)) if weight is not None]
    return sum(weights) / max(FEW_WORDS, len(weights)) if len(weights) >= MIN_WORDS else 0.0


@lru_cache(maxsize=1 << 16)
def _weight_of(token: str, language: str) -> float | None:
    """0 for a word, 1 for none, None for what is not meant to be one."""
    word = token.strip(_EDGES)
    if len(word) > 40 or not any(c.isalpha() for c in word):
        return None
    known = _words(language)
    if word.lower() in known:
        return 0.0
    if _IDENTIFIER.search(word):
        return None
    if all(not part or part.lower() in known for part in _PARTS.split(word)):
        return 0.0
    if not word.isalpha() or word[0].isupper():
        return NAME_WEIGHT
    return 0.0 if likelihood(word, language) > SEEMLY else 1.0


def likelihood(word: str, language: str) -> float:
    """Mean log-probability of each letter of a word behind the two before it."""
    triples, pairs = _sequences(language)
    framed = f"^^{word.lower()}$"
    return sum(
        log((triples[framed[i : i + 3]] + _SMOOTHING) / (pairs[framed[i : i + 2]] + _SMOOTHING * _LETTERS))
        for i in range(len(framed) - 2)
    ) / (len(word) + 1)


@lru_cache(maxsize=MOST_LANGUAGES)
def _words(language: str) -> dict[str, int]:
    """The words of a language, with the logarithm of their frequency from about 0 to 20. Read past wordfreq's own functions,
    which would hold on to every list."""
    buckets = read_cBpack(available_languages("best")[language])
    return {word: round(log(cB_to_freq(-at)) + 20) for at, bucket in enumerate(buckets) for word in bucket}


@lru_cache(maxsize=MOST_LANGUAGES)
def _sequences(language: str) -> tuple[Counter[str], Counter[str]]:
    """How often three and two letters follow each other in the words of a language, frequent words counted for more."""
    triples: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    known = [(f"^^{word}$", weight) for word, weight in _words(language).items() if word.isalpha()]
    for at in range(0, len(known), WORDS_AT_ONCE):
        _count(known[at : at + WORDS_AT_ONCE], triples, pairs)
    return triples, pairs


def _count(framed: Sequence[tuple[str, int]], triples: Counter[str], pairs: Counter[str]) -> None:
    """Adds the weights of framed words to the runs of letters that begin before the last two of each."""
    letters = np.frombuffer("".join(word for word, _ in framed).encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    lengths = np.array([len(word) for word, _ in framed])
    weights = np.repeat([weight for _, weight in framed], lengths)
    begins = np.ones(len(letters), dtype=bool)
    ends = np.cumsum(lengths)
    begins[ends - 1] = begins[ends - 2] = False
    at = np.flatnonzero(begins)
    for counts, size in ((triples, 3), (pairs, 2)):
        packed = sum(letters[at + shift] << (21 * shift) for shift in range(size))
        found, places = np.unique(packed, return_inverse=True)
        sums = np.bincount(places, weights[at])
        for code, total in zip(found.tolist(), sums.tolist(), strict=True):
            counts["".join(chr(code >> (21 * shift) & 0x1FFFFF) for shift in range(size))] += int(total)

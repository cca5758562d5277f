"""Words that are none: what OCR makes of bad scans, told by wordfreq's lists and the three-letter sequences of their words."""

import re
from collections import Counter
from functools import cache, lru_cache
from math import log

from wordfreq import available_languages, get_frequency_dict

MIN_WORDS, FEW_WORDS = 12, 30
"""Fewer words of a text say too little; up to 30 words, a text is judged as if it had 30: two strange words are no noise."""

NAME_WEIGHT = 0.5
"""An unknown word with a capital or a digit in it may be a name or a unit: it counts half."""

SEEMLY = -2.3
"""Mean log-probability of a letter behind the two before it, above which an unknown word is built like the known ones."""

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
    weights = [weight for token in text.split() if (weight := _weight_of(token, language)) is not None]
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


@cache
def _words(language: str) -> dict[str, float]:
    frequencies: dict[str, float] = get_frequency_dict(language, "best")
    return frequencies


@cache
def _sequences(language: str) -> tuple[Counter[str], Counter[str]]:
    """How often three and two letters follow each other in the words of a language, frequent words counted for more."""
    triples: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for word, frequency in _words(language).items():
        if word.isalpha():
            framed = f"^^{word}$"
            weight = round(log(frequency) + 20)
            for i in range(len(framed) - 2):
                triples[framed[i : i + 3]] += weight
                pairs[framed[i : i + 2]] += weight
    return triples, pairs

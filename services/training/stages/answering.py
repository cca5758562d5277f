"""How near an answer is to the right one, by the words they share."""

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"\w+")


def token_f1(said: str, wanted: str) -> float:
    """Harmonic mean of precision and recall over words, whatever their order, case and punctuation (as SQuAD counts it:
    Rajpurkar et al., 2016, but articles count here, since the documents are in any language). 0 to 1."""
    one, other = _words(said), _words(wanted)
    shared = sum((one & other).values())
    if not shared:
        return float(not one and not other)
    precision, recall = shared / sum(one.values()), shared / sum(other.values())
    return 2 * precision * recall / (precision + recall)


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))

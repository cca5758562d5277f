"""Words torn by a hyphen at the end of a line, made whole again; compounds keep their hyphen."""

import re
from collections.abc import Iterable, Sequence

LONGEST_WORD = 64

_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LAST = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]\Z")
_FIRST = re.compile(r"[^\W\d_]+")


PREFIXES = frozenset(
    {
        "under", "over", "inter", "super", "trans", "hyper", "through", "some", "every", "with", "when", "where",
        "there", "here", "after", "other", "never", "fore", "mono", "multi", "counter", "circum", "extra", "infra",
        "intra", "macro", "micro", "photo", "proto", "pseudo", "semi", "tele", "ultra", "auto", "thermo", "electro",
        "hydro",
    }
)  # fmt: skip
"""Beginnings that look like words of their own, and at the end of a line are nearly always a torn word."""


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """Words and hyphenated compounds as they stand inside lines, in lower case. The words at a line's ends may be torn."""
    return frozenset(word.lower() for text in texts for word in _WORDS.findall(_inner(text)))


def _inner(text: str) -> str:
    return text.partition(" ")[2].rpartition(" ")[0]


def joined(above: str, below: str, words: frozenset[str]) -> str:
    """Two lines as one run of text."""
    torn, rest = _LAST.search(above[-LONGEST_WORD:]), _FIRST.match(below)
    if torn is None or rest is None:
        return f"{above} {below}"
    if above[-1] != "\u00ad" and _keeps_hyphen(torn.group(1).lower(), rest.group().lower(), words):
        return above[:-1] + "-" + below
    return above[:-1] + below


def joined_lines(lines: Sequence[str], words: frozenset[str]) -> str:
    """Lines of a cell as one text, torn words mended."""
    text = lines[0]
    for line in lines[1:]:
        text = joined(text, line, words)
    return text


def _keeps_hyphen(left: str, right: str, words: frozenset[str]) -> bool:
    if left + right in words:
        return False
    if f"{left}-{right}" in words:
        return True
    return min(len(left), len(right)) >= 4 and left not in PREFIXES and left in words and right in words

"""Shapes of text that list instead of tell: references, tables of contents, and what publishers print on every paper."""

import re
from itertools import pairwise

_MARKS = re.compile(
    r"\b(?:1[89]|20)\d\d[a-z]?\b|\bdoi\b|\bet al\b|\bvol\.|\bpp\.|\bIn Proceedings\b|\barXiv\b|\bEds?\.|\b\d{1,4}\s?\(\d{1,3}\)"
    r"|\b\d{1,5}\s?[–-]\s?\d{1,5}\b|(?<!\w)[^\W\d_a-z]\.(?=[\s,;&-])|https?://",
)
_PAGED = re.compile(r"[^\W\d_][^\d\n]{2,80}?[\s.…]\s?(\d{1,4})(?=\s|\Z)")
_LEADERS = re.compile(r"(?:\.\s?){4,}|…{2,}|(?:·\s?){4,}|_{6,}")
_STOCK = re.compile(
    r"all rights reserved|no part of this (?:publication|work|book) may be|creative commons|licen[sc]ed under"
    r"|terms (?:of use|and conditions)|privacy policy|cookie|javascript|lorem ipsum|downloaded from|for personal use only"
    r"|permission to make digital|copies are not made or distributed|intentionally left blank|without warranty"
    r"|published by|printed in|copyright|subscribe|click here|follow us on|sign up|unsubscribe|the views expressed",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?]\s+|\n")

MIN_PAGED = 4


def reference_marks(text: str, words: int) -> float:
    """Years, initials, page ranges and the like for each word: many in entries of a list of references."""
    return sum(1 for _ in _MARKS.finditer(text)) / max(1, words)


def leader_share(text: str) -> float:
    """Share of characters in dot leaders."""
    return sum(len(found) for found in _LEADERS.findall(text)) / max(1, len(text))


def paged_share(text: str) -> float:
    """Share of a text in titles that each end in a page number, where the numbers rise as in a table of contents."""
    found = list(_PAGED.finditer(text))
    if len(found) < MIN_PAGED:
        return 0.0
    numbers = [int(one[1]) for one in found]
    rising = sum(a <= b for a, b in pairwise(numbers))
    if rising < 0.9 * (len(numbers) - 1) or numbers[-1] == numbers[0]:
        return 0.0
    return sum(one.end() - one.start() for one in found) / len(text)


def stock_share(text: str) -> float:
    """Share of a text in sentences that hold a stock phrase of publishers and web sites."""
    if _STOCK.search(text) is None:
        return 0.0
    sentences = _SENTENCE_END.split(text)
    return sum(len(one) for one in sentences if _STOCK.search(one)) / max(1, len(text))

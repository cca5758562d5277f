"""Shapes of text that list instead of tell: references, tables of contents, and what publishers print on every paper."""

import re
from itertools import islice, pairwise

_MARKS = re.compile(
    r"\b(?:1[89]|20)\d\d[a-z]?\b|\bdoi\b|\bet al\b|\bvol\.|\bpp\.|\bIn Proceedings\b|\barXiv\b|\bEds?\.|\b\d{1,4}\s?\(\d{1,3}\)"
    r"|\b\d{1,5}\s?[–-]\s?\d{1,5}\b|(?<!\w)[^\W\d_a-z]\.(?=[\s,;&-])|https?://",
)
_PAGED = re.compile(
    r"(?<!\S)(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?\s)?[^\W\d_a-z][^\d\n,;]{2,80}?[\s.…]\s?(\d{1,4})(?=\s+[^\W_a-z]|\s*\Z)"
)
_LEADERS = re.compile(r"(?:\.\s?){4,}|…{2,}|(?:·\s?){4,}|_{6,}")
_LEADING = ("..", ". .", "…", "··", "· ·", "___")
_STOCK = re.compile(
    r"all rights reserved|no part of this (?:publication|work|book) may be|(?:©|copyright)\s(?:©|\(c\)|(?:by\s)?\d{4})"
    r"|\bterms (?:of use|and conditions)\b|privacy policy|(?:use|accept|uses) cookies|(?:enable|requires) javascript"
    r"|lorem ipsum|downloaded from|for personal use only|permission to make digital|copies are not made or distributed"
    r"|intentionally left blank|without (?:any )?warrant(?:y|ies)|subscribe (?:now|to our)|click here|follow us on"
    r"|sign up (?:for|to) our|unsubscribe|views expressed (?:here|in this)|reproduced, stored in a retrieval system",
    re.IGNORECASE,
)
_STOCK_WORDS = (
    "rights reserved", "no part of this", "©", "copyright", "terms of use", "terms and conditions", "privacy policy",
    "cookies", "javascript", "lorem ipsum", "downloaded from", "personal use only", "permission to make", "copies are not",
    "left blank", "warrant", "subscribe", "click here", "follow us", "sign up", "views expressed", "retrieval system",
)  # fmt: skip
"""One of these is in each stock phrase: to look for them first is ten times as fast."""

_NUMBER = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?]\s+|\n")

MIN_PAGED, MIN_MARKS = 5, 4


def reference_marks(text: str, words: int) -> float:
    """Years, initials, page ranges and the like for each word: many in entries of a list of references."""
    signs = text.count(".") + len(_NUMBER.findall(text))
    if signs < max(MIN_MARKS, words / 10):
        return 0.0
    marks = sum(1 for _ in _MARKS.finditer(text))
    return marks / max(1, words) if marks >= MIN_MARKS else 0.0


def leader_share(text: str) -> float:
    """Share of characters in dot leaders."""
    if not any(sign in text for sign in _LEADING):
        return 0.0
    return sum(len(found) for found in _LEADERS.findall(text)) / max(1, len(text))


def paged_share(text: str) -> float:
    """Share of a text in titles that each end in a page number, where the numbers rise as in a table of contents."""
    if sum(1 for _ in islice(_NUMBER.finditer(text), MIN_PAGED)) < MIN_PAGED:
        return 0.0
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
    lowered = text.lower()
    if not any(words in lowered for words in _STOCK_WORDS):
        return 0.0
    sentences = _SENTENCE_END.split(text)
    return sum(len(one) for one in sentences if _STOCK.search(one)) / max(1, len(text))

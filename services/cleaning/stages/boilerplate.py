"""What publishers and title blocks add around a text: licences, identifiers, dates, addresses."""

import re

from shared.contracts.documents import Block

MAX_SUBTITLE_WORDS = 25
MAX_WORDS, MAX_TITLE_BLOCK_WORDS = 60, 160

_ANYWHERE = re.compile(
    r"^(?:doi\s*:|https?://\S+\s*$|arxiv:\d|issn\b|isbn\b|©|copyright\s+(?:©|\(c\)|\d{4})"
    r"|received\s+\d|submitted\s*:|published\s*:|accepted\s*:|edited by\b|reviewed by\b|editors?\s*:|reviewers?\s*:"
    r"|authors of papers retain copyright|this work is licensed|this is an open[- ]access article"
    r"|permission to make digital|all rights reserved|licen[sc]ed under)"
    r"|creative commons attribution \d|intentionally left blank",
    re.IGNORECASE,
)
_TITLE_BLOCK = re.compile(
    r"universit|departe?ment|institut|laborator|college|faculty|school of|academy|centre|center for"
    r"|corporation|\binc\b|\bgmbh\b|@|orcid|corresponding author|equal(?:ly)? contribut|\b(?:ID|¶)\b",
    re.IGNORECASE,
)
_MARKED = re.compile(r"\d\s?[^\W\d_a-z]|(?:[^\W\d_a-z][\w.’-]*\s+){1,4}[^\W\d_a-z][\w’-]*?\s?[\d*†‡§¶](?:[\s,\d*†‡§¶]|\Z)")
"""An address with its mark before it, or a name with its mark behind it."""

_KEYWORDS = re.compile(r"(?:key\s?words|index terms)(?:\s+and\s+phrases)?[.:—–-]*", re.IGNORECASE)
_SENTENCE = re.compile(r"[a-z)]{2}[.!?](?:\s|$)")


def is_keywords(text: str) -> bool:
    """Whether a heading, or the beginning of a paragraph, announces key words."""
    return _KEYWORDS.fullmatch(text.strip()) is not None


def is_boilerplate(block: Block, in_title_block: bool) -> bool:
    """Whether a block is no part of what the document says. Title blocks lie between the title and the first section."""
    text = " ".join(block.text.split())
    if block.kind not in ("paragraph", "list", "footnote"):
        return False
    if len(text.split()) <= MAX_WORDS and (_ANYWHERE.search(text) or _KEYWORDS.match(text)):
        return True
    return in_title_block and block.kind != "list" and _is_of_title_block(text)


def _is_of_title_block(text: str) -> bool:
    """A subtitle, names with marks, addresses: no sentences, but for abbreviations between addresses."""
    words = len(text.split())
    sentence = _SENTENCE.search(text) is not None
    address = _TITLE_BLOCK.search(text) is not None
    if words <= MAX_SUBTITLE_WORDS and not sentence:
        return True
    return words <= MAX_TITLE_BLOCK_WORDS and (
        (address and not sentence) or (_MARKED.match(text) is not None and (address or not sentence))
    )


def ends_title_block(block: Block) -> bool:
    """Where the text proper begins without a heading: a paragraph of sentences."""
    return (
        block.kind == "paragraph" and len(block.text.split()) > MAX_SUBTITLE_WORDS and _SENTENCE.search(block.text) is not None
    )

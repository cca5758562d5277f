"""Which drafts are headings, and of which level: by size and weight relative to the body, and by numbering."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from services.extraction.stages.drafts import Draft

LARGER = 1.09
"""A heading's font is at least so many times the body's, unless it is bold."""

MUCH_LARGER = 1.3
"""At so many times the body's size a heading may begin with a small letter."""

MAX_WORDS, MAX_ROWS = 30, 3

HeadingStyle = tuple[float, bool]
"""Font size in points, rounded to halves, and whether it is bold."""

_NUMBERED = re.compile(
    r"(\d{1,2}(?:\.\d{1,2})*(?=\.?\s)|\d{1,3}/\d{1,3}(?=\s)|[A-H](?:\.\d{1,2})*(?=\.\s)|[A-Z](?:\.\d{1,2})+(?=\s))"
    r"\.?\s+(?![A-Z]\.)[^\W\d_]"
)
_ROMAN = re.compile(r"[IVX]{1,5}\.\s+[A-Z]")
_KNOWN = re.compile(
    r"(?:abstract|summary|introduction|background|methods?|results?|discussion|conclusions?|acknowledge?ments?"
    r"|keywords|references|bibliography|appendix|contents|table of contents)",
    re.IGNORECASE,
)
_ENDS_OPEN = re.compile(r"[,;]\Z|(?<!\betc)\.\Z")


def style_of(draft: Draft) -> HeadingStyle:
    return (round(draft.size * 2) / 2, draft.bold)


def may_be_heading(draft: Draft, text: str, body_size: float) -> bool:
    """Short, wordy, and set apart from the body: larger, bold, numbered in capitals, or known by name."""
    if draft.kind not in ("text", "list") or len(draft.rows) > MAX_ROWS:
        return False
    words = text.split()
    if not words or len(words) > MAX_WORDS or _ENDS_OPEN.search(text):
        return False
    letters = sum(map(str.isalpha, text))
    if letters < 3 or letters < 0.5 * sum(map(len, words)):
        return False
    if draft.kind == "list" and not _NUMBERED.match(text):
        return False
    return _is_set_apart(draft, text, body_size)


def _is_set_apart(draft: Draft, text: str, body_size: float) -> bool:
    if draft.size >= MUCH_LARGER * body_size:
        return True
    if text[0].islower() or (text[0].isdigit() and not _NUMBERED.match(text)):
        return False
    if draft.size >= LARGER * body_size:
        return True
    if draft.size < 0.95 * body_size:
        return draft.bold and _KNOWN.fullmatch(text.rstrip(":. ")) is not None
    return draft.bold or _numbered_capitals(text) or (_KNOWN.fullmatch(text.rstrip(":")) is not None)


def _numbered_capitals(text: str) -> bool:
    return text.isupper() and (_NUMBERED.match(text) is not None or _ROMAN.match(text) is not None)


def depth_of(text: str) -> int | None:
    """How deep a number puts a heading: 1 for `2 Method`, 2 for `2.1 Data`; None without a number."""
    found = _NUMBERED.match(text)
    return found.group(1).count(".") + 1 if found else None


def opens_text(text: str) -> bool:
    """Whether a heading is a section's rather than part of a title block."""
    return _KNOWN.fullmatch(text.rstrip(":. ")) is not None or (depth_of(text) == 1 and text[0].isdigit())


def front_matter(headings: Sequence[tuple[HeadingStyle, str]]) -> range:
    """Which of a first page's heading candidates stand between the title and the first section: authors, places, dates."""
    if not headings:
        return range(0)
    title = max(range(len(headings)), key=lambda i: (headings[i][0][0], -i))
    if opens_text(headings[title][1]):
        return range(0)
    opening = next((i for i in range(title + 1, len(headings)) if opens_text(headings[i][1])), title + 1)
    return range(title + 1, opening)


def rank_styles(headings: Iterable[tuple[HeadingStyle, str]]) -> tuple[HeadingStyle, ...]:
    """Styles from the highest level to the lowest. Sizes within half a point are one level."""
    counts = Counter(style for style, _ in headings)
    return tuple(sorted(counts, key=lambda style: (-style[0], not style[1])))


def level_of(style: HeadingStyle, text: str, ranked: Sequence[HeadingStyle], first_numbered: int | None) -> int:
    """1 to 6. A number decides where the document numbers its sections, else the rank of the style."""
    depth = depth_of(text)
    if depth is not None and first_numbered is not None:
        return min(6, first_numbered + depth - 1)
    nearest = min(range(len(ranked)), key=lambda i: _distance(ranked[i], style), default=0)
    return min(6, nearest + 1)


def _distance(one: HeadingStyle, other: HeadingStyle) -> tuple[float, bool]:
    return (abs(one[0] - other[0]), one[1] != other[1])

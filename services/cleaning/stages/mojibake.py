"""Text that was decoded by the wrong table (`cafÃ©`): mended where ftfy knows how, told where it cannot."""

import re

from ftfy import fix_encoding
from ftfy.badness import badness, is_bad

LONGEST_MENDED = 200_000
"""ftfy tries several tables on a text: a longer one is only told."""


_UNUSUAL = re.compile(r"[^\x00-\x7f–—‘’“”•…]")
"""Dashes, quotation marks and bullets alone, among ASCII, are no sign of damage to ftfy nor to us: to look for more first is
ten times as fast."""

_INSIDE = re.compile(r"(?<=[a-zà-ÿа-я])(?:[À-ÖØ-ÞŠŽŸРС]|[¡¢£¤¥¦§¨¬¯´¶¸¼½¾¿])|[ÃÂ][¡-¿]|\b[РС][°±²³´µ¶·]")
"""Within a word of small letters: capitals with accents and signs, as bytes of UTF-8 look where some of them were lost."""


def mended(text: str) -> str:
    """A text as it was meant. Sound text comes back as it is."""
    if not _may_be_damaged(text) or len(text) > LONGEST_MENDED or not is_bad(text):
        return text
    return fix_encoding(text)


def damage(text: str) -> float:
    """Unlikely sequences of characters for each word of a text."""
    if not _may_be_damaged(text):
        return 0.0
    return max(badness(text), sum(1 for _ in _INSIDE.finditer(text))) / max(1, len(text.split()))


def _may_be_damaged(text: str) -> bool:
    return not text.isascii() and _UNUSUAL.search(text) is not None

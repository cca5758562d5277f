"""Text that was decoded by the wrong table (`cafÃ©`): mended where ftfy knows how, told where it cannot."""

from ftfy import fix_encoding
from ftfy.badness import badness, is_bad

LONGEST_MENDED = 200_000
"""ftfy tries several tables on a text: a longer one is only told."""


def mended(text: str) -> str:
    """A text as it was meant. Sound text comes back as it is."""
    if text.isascii() or len(text) > LONGEST_MENDED or not is_bad(text):
        return text
    return fix_encoding(text)


def damage(text: str) -> float:
    """Unlikely sequences of characters for each word of a text."""
    return 0.0 if text.isascii() else badness(text) / max(1, len(text.split()))

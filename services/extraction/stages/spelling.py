"""Words along a line → text: which of them are parted by a space."""

from collections.abc import Sequence
from itertools import pairwise

from services.extraction.stages.words import Word

TORN_GAP_EM = 0.15
"""Where the parser began a new line with a word that goes on in this one, a gap wider than this is a space."""


def spelled(run: Sequence[Word]) -> str:
    """The text of words that stand from left to right. A formula among other words is set as one of the text."""
    if len(run) == 1:
        return run[0].text
    parts = [run[0].text]
    for last, word in pairwise(run):
        torn = word.starts_line and word.left - last.right > TORN_GAP_EM * word.size
        parts.append(" " + word.text if (word.spaced and not word.starts_line) or torn else word.text)
    text = "".join(parts)
    return text.replace("$$", "$") if "$$" in text else text

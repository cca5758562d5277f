"""Right-to-left scripts: which text is written in one, and the order in which words on a line are read."""

import re
from collections.abc import Sequence

from services.extraction.stages.words import Word

_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


def is_right_to_left(text: str) -> bool:
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def in_reading_order(line: Sequence[Word]) -> Sequence[Word]:
    """Words from left to right → as they are read. In a line of a right-to-left script other words keep their order."""
    if not any(is_right_to_left(word.text) for word in line):
        return line
    groups: list[list[Word]] = []
    for word in sorted(line, key=lambda word: -word.right):
        if groups and not is_right_to_left(word.text) and not is_right_to_left(groups[-1][0].text):
            groups[-1].insert(0, word)
        else:
            groups.append([word])
    return [word for group in groups for word in group]

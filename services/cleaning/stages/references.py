"""The list of references: where it begins and where it ends."""

import re

from shared.contracts.documents import Block, BlockKind

_TITLE = re.compile(
    r"(?:(?:\d{1,2}|[A-Z]|[IVX]{1,5})[.)]?\s+)?"
    r"(?:references(?:\s+(?:and\s+notes|cited))?|bibliography|literature(?:\s+cited)?|works\s+cited|literatur(?:verzeichnis)?"
    r"|références|bibliographie|referencias|bibliografía)[.:]?",
    re.IGNORECASE,
)
_TITLE_WORDS = 4
_ENTRY = re.compile(
    r"(?:\[\d{1,3}\]\s*)?[^\W\d_][\w’'-]+,\s(?:[^\W\d_a-z]\.[ -]?){1,4}(?:,|&|and\b|\().*"
    r"(?:\((?:1[89]|20)\d\d[a-z]?\)|n\.d\.|doi)",
    re.DOTALL,
)
KEPT_WITHIN: frozenset[BlockKind] = frozenset({"caption", "table"})
"""Floats that were only set among the references."""


def is_reference_title(text: str) -> bool:
    words = text.split(None, _TITLE_WORDS)
    return len(words) <= _TITLE_WORDS and _TITLE.fullmatch(" ".join(words)) is not None


class ReferenceList:
    """Follows a document block by block; `holds` says whether a block belongs to a list of references."""

    def __init__(self) -> None:
        self._level: int | None = None

    def holds(self, block: Block) -> bool:
        if is_reference_title(block.text):
            self._level = block.level if block.kind == "heading" else 6
            return True
        if self._level is None:
            return block.kind in ("paragraph", "list") and _ENTRY.match(block.text) is not None
        if block.kind == "heading" and block.level <= self._level:
            self._level = None
            return False
        return block.kind not in KEPT_WITHIN

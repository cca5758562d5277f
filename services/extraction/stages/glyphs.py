"""What a parser says of a page, before anything is made of it."""

from dataclasses import dataclass, field
from typing import Any

from services.extraction.stages.words import Rule, Word
from shared.contracts.documents import Link

__all__ = ["Box", "RawPage", "Rule", "Word"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the parser gives it: words in the order of its content stream, and the lines drawn on it.

    `curves`: left, top, right and bottom of what is drawn in curves and slanting lines, as charts are.

    `memo` holds what was worked out of the page once, so that the survey of a document and its reading do not both pay.
    """

    number: int
    width: float
    height: float
    words: tuple[Word, ...]
    rules: tuple[Rule, ...] = ()
    curves: tuple[Box, ...] = ()
    links: tuple[Link, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

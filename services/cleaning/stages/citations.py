"""In-line citation markers, `[12]` and `(Smith et al., 2020)`, taken out where a document cites that way.

Careful rather than thorough: a marker that is a word of its sentence ("as in [4]") stays, and so does an interval.
"""

import re
from dataclasses import dataclass

LOOK_BACK = 40
MIN_MARKERS = 3
"""Fewer markers of a kind are no habit: they may be intervals, years in brackets, indices."""

_NUMBERS = r"\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*"
_WHERE = r"(?:\s?,\s?(?:Sec|Ch|Part|p|pp|Fig|Th|Eq|App|Lemma|Alg|Tab)[\w., ]{0,40})?"
_NUMERIC = re.compile(rf"\s?(?:\[{_NUMBERS}{_WHERE}\]\s?)*\[{_NUMBERS}{_WHERE}\]")

_NAME = r"(?:[^\W\d_a-z][\w’'.-]{0,40}|de|da|di|du|van|von|der|den|la|le|el|al\.|et|and|und|y|&|\*)"
_YEARS = r"(?:1[89]|20)\d\d[a-z]?(?:,\s?(?:(?:1[89]|20)\d\d)?[a-z]?)?(?:,\s?pp?\.\s?[\d–-]{1,12})?"
_ITEM = rf"(?:(?:see|e\.g\.|cf\.|also),?\s){{0,2}}{_NAME}(?:,?\s{_NAME}){{0,8}},?\s{_YEARS}"
_AUTHORS = re.compile(rf"\s?\({_ITEM}(?:;\s?{_ITEM})*\)")

_PART_OF_SENTENCE = frozenset(
    {
        "in", "see", "by", "of", "from", "to", "with", "and", "or", "than", "cf", "cf.", "e.g.", "e.g.,", "i.e.",
        "i.e.,", "following", "follows", "per", "ref", "ref.", "refs", "refs.", "reference", "references", "that", "on",
        "at", "via", "both", "using", "as", "like", "is", "are", "was", "were", "interval", "range", "between",
        "domain", "eq.", "equation", "step", "steps", "for", "the",
    }
)  # fmt: skip
_ZERO = re.compile(r"\[0|,\s?0\d*[,\]]")
_RELATIONS = frozenset("∈∉⊂⊆=<>≤≥±+×·→(,")


@dataclass(frozen=True, slots=True)
class CitationHabit:
    """How a document cites."""

    numeric: bool = False
    authors: bool = False


class CitationCount:
    """Counts markers as blocks go by. They are only taken for citations where a list of references and several agree."""

    def __init__(self) -> None:
        self._numeric = self._authors = 0

    def add(self, text: str) -> None:
        if "[" in text:
            self._numeric += sum(1 for _ in _NUMERIC.finditer(text))
        if "(" in text:
            self._authors += sum(1 for _ in _AUTHORS.finditer(text))

    def habit(self, has_references: bool) -> CitationHabit:
        return CitationHabit(
            numeric=has_references and self._numeric >= MIN_MARKERS,
            authors=has_references and self._authors >= MIN_MARKERS,
        )


def drop_citations(text: str, habit: CitationHabit) -> tuple[str, int]:
    """The text without its markers, and how many characters that took."""
    shorter = text
    if habit.numeric and "[" in text:
        shorter = _NUMERIC.sub(_numeric, shorter)
    if habit.authors and "(" in text:
        shorter = _AUTHORS.sub("", shorter)
    return shorter, len(text) - len(shorter)


def _numeric(found: re.Match[str]) -> str:
    marks = found[0]
    before = found.string[max(0, found.start() - LOOK_BACK) : found.start()].rsplit(None, 1)
    last = before[-1] if before else ""
    stays = (
        not last
        or last.lower().lstrip("(") in _PART_OF_SENTENCE
        or last[-1] in _RELATIONS
        or (marks[0] == "[" and not last[-1].islower() and last[-1] not in '.,;)”"’')
        or _ZERO.search(marks) is not None
    )
    return marks if stays else ""

"""What holds for a document as a whole, learned in a first look at all of its pages, before any of it is cleaned."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.cleaning.stages.citations import CitationCount, CitationHabit
from services.cleaning.stages.headers import MarginCount
from services.cleaning.stages.references import is_reference_title
from services.cleaning.stages.title import TitleSearch
from shared.contracts.documents import CleaningParameters, Page


@dataclass(frozen=True, slots=True)
class Habits:
    """`recurring` margin lines stand on so many pages that rules call them running, `repeated` ones on two or more;
    `body_size` is the size of type that most of the text is set in, 0 where no page says."""

    recurring: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()
    body_size: float = 0.0
    citations: CitationHabit = field(default_factory=CitationHabit)
    title: str | None = None


def habits(pages: Iterable[Page], parameters: CleaningParameters) -> Habits:
    """A first look at all pages, one at a time."""
    margins, citations, title = MarginCount(parameters), CitationCount(), TitleSearch()
    sizes: Counter[float] = Counter()
    has_references = False
    for page in pages:
        margins.add(page)
        for block in page.blocks:
            citations.add(block.text)
            has_references = has_references or is_reference_title(block.text)
            title.look_at(block, page.number)
            for line in block.lines:
                sizes[line.font_size] += len(line.text)
    size = max(sizes, key=lambda one: (sizes[one], one), default=0.0)
    return Habits(margins.recurring(), margins.repeated(), size, citations.habit(has_references), title.found)

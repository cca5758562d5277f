"""Pages → pages whose every line has a label: by rules alone, or by a model that sees what the rules say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from services.cleaning.stages.habits import Habits
from services.cleaning.stages.page_lines import Tag, TextLine
from services.cleaning.stages.ruled_pages import RuledPage, ruled
from shared.contracts.documents import Page

WINDOW = 16
"""Pages that a model labels at once: enough for its arithmetic to be quick, few enough to hold."""


class LineModel(Protocol):
    """Anything that labels the lines of pages."""

    def tag(self, pages: Sequence[RuledPage], known: Habits) -> list[list[Tag]]:
        """A tag for each line of each page, in order."""
        ...


@dataclass(frozen=True, slots=True)
class TaggedPage:
    """`lines` and `tags` by block."""

    page: Page
    lines: Sequence[Sequence[TextLine]]
    tags: Sequence[Sequence[Tag]]


def tagged(pages: Iterable[Page], known: Habits, margin_share: float, model: LineModel | None) -> Iterator[TaggedPage]:
    """The pages of one document with their labels. What has no places, as plain MMD, is left to the rules: models learn
    from pages that have them."""
    found = ruled(pages, known, margin_share)
    while window := list(islice(found, WINDOW)):
        placed = [one for one in window if one.placed] if model is not None else []
        labelled = iter(model.tag(placed, known) if model is not None else ())
        for one in window:
            tags = _by_block(one, next(labelled)) if model is not None and one.placed else one.tags()
            yield TaggedPage(one.page, one.lines, tags)


def _by_block(one: RuledPage, tags: Sequence[Tag]) -> list[list[Tag]]:
    rest = iter(tags)
    return [list(islice(rest, len(own))) for own in one.lines]

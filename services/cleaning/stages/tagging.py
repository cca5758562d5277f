"""Pages → pages whose every line has a label: by rules alone, or by a model that sees what the rules say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from services.cleaning.stages.habits import Habits
from services.cleaning.stages.line_features import Features, features
from services.cleaning.stages.line_model import LineModel
from services.cleaning.stages.line_rules import LineRules
from services.cleaning.stages.page_lines import Tag, TextLine, lines_of
from shared.contracts.documents import LineLabel, Page

WINDOW = 16
"""Pages that a model labels at once: enough for its arithmetic to be quick, few enough to hold."""


@dataclass(frozen=True, slots=True)
class TaggedPage:
    """`lines` and `tags` by block."""

    page: Page
    lines: Sequence[Sequence[TextLine]]
    tags: Sequence[Sequence[Tag]]


@dataclass(frozen=True, slots=True)
class RuledPage:
    """A page and what the rules call each of its blocks."""

    page: Page
    lines: Sequence[Sequence[TextLine]]
    ruled: Sequence[LineLabel]

    def features(self, known: Habits) -> Features:
        return features(self.page, self.lines, self.ruled, known.body_size, known.repeated)

    def tagged(self) -> TaggedPage:
        tags = [[Tag(label)] * len(own) for label, own in zip(self.ruled, self.lines, strict=True)]
        return TaggedPage(self.page, self.lines, tags)


def ruled(pages: Iterable[Page], known: Habits, margin_share: float) -> Iterator[RuledPage]:
    """The pages of one document, in order."""
    rules = LineRules(known.recurring, known.title, margin_share)
    for page in pages:
        lines = [lines_of(block) for block in page.blocks]
        yield RuledPage(page, lines, [rules.label(block, page) for block in page.blocks])


def tagged(pages: Iterable[Page], known: Habits, margin_share: float, model: LineModel | None) -> Iterator[TaggedPage]:
    """The pages of one document with their labels. What has no places, as plain MMD, is left to the rules: models learn
    from pages that have them."""
    found = ruled(pages, known, margin_share)
    while window := list(islice(found, WINDOW)):
        placed = [one for one in window if one.page.height > 0] if model is not None else []
        labelled = iter(model.tag([one.features(known) for one in placed]) if model is not None else ())
        for one in window:
            yield _by_block(one, next(labelled)) if one.page.height > 0 and model is not None else one.tagged()


def _by_block(one: RuledPage, tags: Sequence[Tag]) -> TaggedPage:
    rest = iter(tags)
    return TaggedPage(one.page, one.lines, [list(islice(rest, len(own))) for own in one.lines])

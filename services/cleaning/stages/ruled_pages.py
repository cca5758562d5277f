"""Pages as the rules see them: every block with the label that the rules give it, which is what models of lines start from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.cleaning.stages.habits import Habits
from services.cleaning.stages.line_features import Features, features
from services.cleaning.stages.line_rules import LineRules
from services.cleaning.stages.page_lines import Tag, TextLine, lines_of
from shared.contracts.documents import LineLabel, Page


@dataclass(frozen=True, slots=True)
class RuledPage:
    """A page, its lines by block, and what the rules call each of its blocks."""

    page: Page
    lines: Sequence[Sequence[TextLine]]
    ruled: Sequence[LineLabel]

    @property
    def placed(self) -> bool:
        """Whether it is known where everything stands."""
        return self.page.height > 0 and all(block.box is not None for block in self.page.blocks)

    def features(self, known: Habits) -> Features:
        return features(self.page, self.lines, self.ruled, known.body_size, known.repeated)

    def tags(self) -> list[list[Tag]]:
        """By block."""
        return [[Tag(label)] * len(own) for label, own in zip(self.ruled, self.lines, strict=True)]


def ruled(pages: Iterable[Page], known: Habits, margin_share: float) -> Iterator[RuledPage]:
    """The pages of one document, in order."""
    rules = LineRules(known.recurring, known.title, margin_share)
    for page in pages:
        lines = [lines_of(block) for block in page.blocks]
        yield RuledPage(page, lines, [rules.label(block, page) for block in page.blocks])

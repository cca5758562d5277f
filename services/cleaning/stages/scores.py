"""Precision, recall and F1 of labels, one by one and together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.cleaning.stages.line_features import LABELS
from shared.contracts.documents import LineLabel


@dataclass(frozen=True, slots=True)
class Score:
    """`support` counts the lines that truly have the label."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(slots=True)
class Count:
    """Counts labels as pages go by."""

    right: Counter[LineLabel] = field(default_factory=Counter)
    given: Counter[LineLabel] = field(default_factory=Counter)
    true: Counter[LineLabel] = field(default_factory=Counter)

    def add(self, given: Sequence[LineLabel], truth: Sequence[LineLabel | None]) -> None:
        """Lines whose truth nobody knows count for nothing."""
        for one, other in zip(given, truth, strict=True):
            if other is not None:
                self.given[one] += 1
                self.true[other] += 1
                self.right[one] += one == other

    def scores(self) -> dict[LineLabel, Score]:
        """Of the labels that occur."""
        return {label: self._score(label) for label in LABELS if self.true[label] or self.given[label]}

    def _score(self, label: LineLabel) -> Score:
        right, given, true = self.right[label], self.given[label], self.true[label]
        return Score(
            precision=right / given if given else 0.0, recall=right / true if true else 0.0,
            f1=2 * right / (given + true) if given + true else 0.0, support=true,
        )  # fmt: skip

    def macro_f1(self) -> float:
        """The mean F1 of the labels that are true of some line."""
        found = [score.f1 for score in self.scores().values() if score.support]
        return sum(found) / len(found) if found else 0.0

    def accuracy(self) -> float:
        return self.right.total() / max(1, self.true.total())


def total(counts: Iterable[Count]) -> Count:
    """Several counts as one."""
    made = Count()
    for one in counts:
        made.right += one.right
        made.given += one.given
        made.true += one.true
    return made

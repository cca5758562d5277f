"""From what reviewers said to what holds: the latest word of each counts, the majority decides, a tie decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.review import Label


@dataclass(frozen=True, slots=True)
class Settled:
    """A text and what holds of it. `garbage` is None where reviewers do not agree."""

    label: Label
    garbage: bool | None


def settle(labels: Iterable[Label]) -> dict[str, Settled]:
    """By the texts' marks, over labels in the order they were given."""
    words: dict[str, dict[str, Label]] = {}
    for label in labels:
        said = words.setdefault(label.mark, {})
        if label.verdict == "withdrawn":
            said.pop(label.reviewer, None)
        else:
            said[label.reviewer] = label
    return {mark: _settled(list(said.values())) for mark, said in words.items() if said}


def _settled(said: list[Label]) -> Settled:
    garbage = sum(label.verdict == "garbage" for label in said)
    even = 2 * garbage == len(said)
    return Settled(said[-1], None if even else 2 * garbage > len(said))


def kappa(counts: dict[tuple[bool, bool], int]) -> float | None:
    """Cohen's kappa (1960): agreement of two reviewers beyond chance, from how often each pair of verdicts was given. None
    where both said one thing throughout: there chance would have done as well."""
    total = sum(counts.values())
    if not total:
        return None
    same = sum(count for (one, other), count in counts.items() if one == other) / total
    first = sum(count for (one, _), count in counts.items() if one) / total
    second = sum(count for (_, other), count in counts.items() if other) / total
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else (same - chance) / (1 - chance)

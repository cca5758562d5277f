"""What people say of garbage, and what is learned from it: the index of what can be reviewed, labels, classifiers."""

from typing import Literal

from shared.contracts.base import Contract

Decision = Literal["kept", "set-aside"]

Lane = Literal["uncertain", "doubted", "random"]
"""Why an item is shown: its probability is near one half; the classifier contradicts what stands; or it was drawn by lot."""


class Reviewable(Contract):
    """One text that screening decided about: a line of `review.jsonl`. `start:end` are its bytes in `file`; in its lane the
    lowest `rank` is shown first. `mark` names what the text says."""

    id: str
    mark: str
    decision: Decision
    reason: str
    probability: float | None
    lane: Lane
    rank: float
    file: Literal["chunks.jsonl", "garbage.jsonl"]
    start: int
    end: int

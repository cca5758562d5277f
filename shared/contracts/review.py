"""What people say of garbage, and what is learned from it: the index of what can be reviewed, labels, classifiers."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import GarbageItem

Decision = Literal["kept", "set-aside"]

Lane = Literal["uncertain", "doubted", "random"]
"""Why an item is shown: its probability is near one half; the classifier contradicts what stands; or it was drawn by lot."""

Verdict = Literal["garbage", "good", "withdrawn"]
"""`good` is a false positive where the text was set aside; `withdrawn` takes a reviewer's earlier word back."""


class Reviewable(Contract):
    """One text that screening decided about: a line of `review.jsonl`. `mark` names what the text says, `rule` the rule that
    had set it aside, `start:end` its bytes in `file`; in its lane the lowest `rank` is shown first."""

    id: str
    mark: str
    decision: Decision
    rule: str
    probability: float | None
    lane: Lane
    rank: float
    file: Literal["chunks.jsonl", "garbage.jsonl"]
    start: int
    end: int


class ReviewItem(GarbageItem):
    """A text for review: garbage, or a kept chunk in the same form. Kept chunks have no reason and no score."""

    collection: str
    decision: Decision
    why: Lane = Field(
        description="Why it is shown: `uncertain`, `doubted` (the classifier contradicts what stands) or `random`."
    )


class Label(Contract):
    """What a reviewer said of a text: an entry of `labels/<document>/`. Whole in itself, since texts are cut anew."""

    document: str
    item: str
    mark: str
    text: str
    decision: Decision
    rule: str = Field("", description="The rule that had set it aside; empty for what the rules kept.")
    verdict: Verdict
    reviewer: str
    at: str


class LabelView(Contract):
    """A label as it stands in the series."""

    sequence: int
    label: Label


class LabelSource(Contract):
    """So many labels of a document."""

    document: str
    labels: int


class ClassifierParameters(Contract):
    """How a garbage classifier is trained, and what it has to show before it decides."""

    kind: Literal["tfidf", "encoder"] = Field(
        "tfidf", description="`tfidf`: hashed n-grams and logistic regression; `encoder`: a published encoder, tuned."
    )
    encoder: str | None = Field(None, description="Published base with an encoder's files, for `encoder`.")
    calibration: Literal["sigmoid", "isotonic"] = Field(
        "sigmoid", description="Platt's (1999), or isotonic regression, which wants a thousand labels and more."
    )
    strength: float = Field(10.0, gt=0, description="Inverse of the L2 penalty (C of the logistic regression).")
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability from which on a text is garbage.")
    min_each: int = Field(5, ge=2, description="Fewest labels of either verdict to learn from.")
    min_heldout: int = Field(30, ge=2, description="Fewest held-out labels to be judged by.")
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="Confidence that it beats the rules (paired bootstrap) before it decides."
    )
    epochs: int = Field(3, ge=1, description="Passes over the labels, for `encoder`.")
    learning_rate: float = Field(5e-5, gt=0, description="For `encoder`.")
    max_tokens: int = Field(256, ge=16, description="A text's tokens that an encoder reads.")
    seed: int = 17


class ClassifierWish(Contract):
    """A version of the classifier asked for: frozen labels, so that the same wish is the same version. `kept` and `set_aside`
    count the texts that the rules decided about, which held-out labels stand for; `previous` is the version it follows."""

    key: str
    parameters: ClassifierParameters
    labels: tuple[LabelSource, ...]
    kept: int = 0
    set_aside: int = 0
    previous: str | None = None
    created_at: str

    @property
    def count(self) -> int:
        return sum(source.labels for source in self.labels)


class Scores(Contract):
    """How well garbage is told, on held-out labels."""

    precision: float
    recall: float
    f1: float


class ClassifierResult(Contract):
    """What training made: `classifier.json` and its weights, and the report of how it compares."""

    train: int = Field(description="Texts it was trained on.")
    heldout: int = Field(description="Texts it is measured on, drawn by lot and never trained on.")
    heldout_garbage: int
    contested: int = Field(description="Texts that reviewers do not agree on: left out.")
    rules: Scores
    before: Scores | None = Field(None, description="The version it follows.")
    after: Scores
    gain_low: float = Field(description="Lower confidence bound of its gain in F1 over the rules.")
    ece: float = Field(description="Expected calibration error, ten bins.")
    brier: float
    threshold: float
    takes_over: bool = Field(description="Whether it decides in place of the rules.")
    adopted: bool = Field(description="Whether it replaces the version it follows.")
    why: str

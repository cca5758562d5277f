"""What people say of lines, for the tagger of lines to learn from."""

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import LineLabel


class LineWord(Contract):
    """What a reviewer said of a line: an entry of `line-labels/<document>/`. `extraction` names the page map that its place
    is of; `guessed` and `confidence` are what stood there."""

    document: str
    extraction: str
    page: int
    block: int
    line: int
    text: str
    guessed: LineLabel
    confidence: float | None = None
    label: LineLabel | None = Field(description="None takes a reviewer's earlier word back.")
    reviewer: str
    at: str


class LineWordView(Contract):
    """A word as it stands in the series."""

    sequence: int
    word: LineWord

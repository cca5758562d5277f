"""What taggers of lines learn from, and how one is published."""

from shared.contracts.base import Contract
from shared.contracts.documents import LineLabel, Page


class LabelledPage(Contract):
    """A page whose lines were labelled by people or by construction: a record of the files that taggers learn from.

    `labels` holds a block's labels line by line, in the order of `LineFate.line`; None where nobody knows.
    """

    document: str
    page: Page
    labels: tuple[tuple[LineLabel | None, ...], ...]


class TaggerManifest(Contract):
    """A published tagger of lines: the files under `taggers/<name>/`, with their SHA-256, and a digest over them."""

    name: str
    digest: str
    files: dict[str, str]

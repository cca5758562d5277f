"""The page ledger: what became of every page, line and character of a document, with reasons, and whether it adds up."""

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import Fate, LineFate, PageFate


class PageAccount(Contract):
    """What became of one page: a line of `ledger.jsonl`, written by cleaning.

    `kept`: some of its text stands. `set-aside`: it was read, and nothing of it stands; a page without text is set aside as
    `empty`. `failed`: it could not be read, and `reason` says why.
    """

    page: int
    fate: PageFate
    reason: str = ""
    blocks: int = 0
    lines: dict[Fate, int] = {}
    characters: dict[Fate, int] = Field({}, description="Characters of those lines, as they were read.")
    reasons: dict[str, int] = Field({}, description="Lines that do not stand, by reason.")


class Pages(Contract):
    """Pages in = kept + set aside + failed + pending. Pending ones wait for cleaning."""

    read: int = Field(0, description="Pages that extraction met.")
    kept: int = 0
    set_aside: int = 0
    failed: int = 0
    pending: int = 0


class Characters(Contract):
    """Characters read = kept + dropped + garbage."""

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = Field({}, description="By label of their line or kind of mark.")
    garbage: int = 0


class Chunks(Contract):
    """Chunks cut + returned = kept + set aside."""

    cut: int = 0
    returned: int = Field(0, description="Made of text that the rules had set aside and the classifier brought back.")
    kept: int = 0
    set_aside: int = Field(0, description="By the classifier, where one is in charge.")
    classifier: str | None = None


class LedgerView(Contract):
    """A document's account. Where the sums of independent files disagree, `adds_up` is false and `faults` says which."""

    document: str
    collection: str
    filename: str
    state: str
    refused: str | None = Field(None, description="Why nothing was read of it at all.")
    pages: Pages
    lines: dict[Fate, int] = {}
    characters: Characters
    garbage: dict[str, int] = Field({}, description="Items set aside, by reason.")
    chunks: Chunks | None = None
    adds_up: bool
    faults: tuple[str, ...] = ()


class DocumentLedger(LedgerView):
    """The account, and its pages from `cursor` on."""

    items: tuple[PageAccount, ...]
    next_cursor: str | None = None


class PageLedger(Contract):
    """One page's account, and what became of its lines from `cursor` on."""

    document: str
    account: PageAccount
    items: tuple[LineFate, ...]
    next_cursor: str | None = None


class CollectionLedger(Contract):
    """The sum over a collection's documents."""

    collection: str
    documents: int
    refused: int = Field(description="Documents of which nothing could be read.")
    pages: Pages
    characters: Characters
    garbage: dict[str, int] = {}
    adds_up: bool
    faults: tuple[str, ...] = Field((), description="The first documents that do not add up.")

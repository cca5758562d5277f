"""Running headers, footers and page numbers that extraction did not tag: margin blocks that recur on many pages."""

import re
from collections import Counter

from shared.contracts.documents import Block, BlockKind, CleaningParameters, Page

_PAGE_NUMBER = re.compile(r"(?:page\s*)?[-–—|\s]*\d{1,4}[-–—|\s]*(?:(?:of|/)\s*\d{1,4})?", re.IGNORECASE)
RUNNING: frozenset[BlockKind] = frozenset({"header", "footer", "page_number"})


def margin_key(text: str) -> str:
    """A line as it recurs: numbers differ from page to page."""
    return re.sub(r"\d+", "#", " ".join(text.split())).casefold()


class MarginCount:
    """Counts margin blocks as pages go by."""

    def __init__(self, parameters: CleaningParameters) -> None:
        self._parameters = parameters
        self._counts: Counter[str] = Counter()
        self._pages = 0

    def add(self, page: Page) -> None:
        self._pages += 1
        share = self._parameters.margin_share
        self._counts.update({margin_key(block.text) for block in page.blocks if in_margin(block, page, share)})

    def recurring(self) -> frozenset[str]:
        least = max(3.0, self._parameters.repeat_share * self._pages)
        return frozenset(key for key, count in self._counts.items() if count >= least and len(key) <= 200)

    def repeated(self) -> frozenset[str]:
        """Lines of two pages or more: no proof, but a hint."""
        return frozenset(key for key, count in self._counts.items() if count >= 2 and len(key) <= 200)


def in_margin(block: Block, page: Page, share: float) -> bool:
    if block.box is None or not page.height:
        return False
    return block.box[3] <= share * page.height or block.box[1] >= (1 - share) * page.height


def running_kind(block: Block, page: Page, recurring: frozenset[str], share: float) -> BlockKind | None:
    """`header`, `footer` or `page_number` where a block is one, else None."""
    if block.kind in RUNNING:
        return block.kind
    if block.box is None or not in_margin(block, page, share):
        return None
    if _PAGE_NUMBER.fullmatch(block.text.strip()):
        return "page_number"
    if margin_key(block.text) not in recurring:
        return None
    return "header" if block.box[1] < page.height / 2 else "footer"

"""The rules that label lines, a block at a time: margins that recur, the list of references, boilerplate, kinds of blocks."""

from services.cleaning.stages.boilerplate import MAX_WORDS, ends_title_block, is_boilerplate, is_keywords
from services.cleaning.stages.headers import running_kind
from services.cleaning.stages.references import ReferenceList
from services.cleaning.stages.text_repair import repair
from services.cleaning.stages.title import TITLE_PAGES
from shared.contracts.documents import Block, BlockKind, LineLabel, Page

LABEL_OF_KIND: dict[BlockKind, LineLabel] = {
    "header": "header", "footer": "footer", "page_number": "page_number", "citation": "citation", "caption": "figure_caption",
    "table": "table", "formula": "equation", "footnote": "footnote", "boilerplate": "boilerplate",
}  # fmt: skip


class LineRules:
    """Follows a document block by block. Blocks must come in order: what a block is depends on those before it."""

    def __init__(self, recurring: frozenset[str], title: str | None, margin_share: float) -> None:
        self._recurring = recurring
        self._title = title
        self._margin_share = margin_share
        self._references = ReferenceList()
        self._in_title_block = title is not None
        self._in_keywords = False

    def label(self, block: Block, page: Page) -> LineLabel:
        """What all lines of a block are."""
        running = running_kind(block, page, self._recurring, self._margin_share)
        if running is not None:
            return LABEL_OF_KIND[running]
        if self._references.holds(block):
            return "citation"
        if self._is_boilerplate(block, page):
            return "boilerplate"
        return LABEL_OF_KIND.get(block.kind, "content")

    def _is_boilerplate(self, block: Block, page: Page) -> bool:
        in_keywords, self._in_keywords = self._in_keywords, block.kind == "heading" and is_keywords(block.text)
        if self._in_keywords or (in_keywords and block.kind == "paragraph" and len(block.text.split()) <= MAX_WORDS):
            return True
        in_title_block = self._in_title_block and page.number <= TITLE_PAGES
        if is_boilerplate(block, in_title_block):
            return True
        self._in_title_block = in_title_block and not (ends_title_block(block) or self._opens_section(block))
        return False

    def _opens_section(self, block: Block) -> bool:
        return block.kind == "heading" and repair(block.text).text != self._title

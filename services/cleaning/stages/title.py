"""A document's title: the first heading of the highest level near its beginning that is no section's."""

import re

from services.cleaning.stages.references import is_reference_title
from services.cleaning.stages.text_repair import repair
from shared.contracts.documents import Block

TITLE_PAGES = 2
TITLE_BLOCKS = 40
"""Of text without pages, so many blocks are its beginning."""

_SECTION = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?\s.*|abstract|summary|introduction|background|(?:table of )?contents|keywords|preface"
    r"|acknowledge?ments?)",
    re.IGNORECASE,
)


class TitleSearch:
    """Looks at blocks in order."""

    def __init__(self) -> None:
        self.found: str | None = None
        self._level = 7
        self._seen = 0

    def look_at(self, block: Block, page: int) -> None:
        self._seen += 1
        if block.kind != "heading" or page > TITLE_PAGES or self._seen > TITLE_BLOCKS or block.level >= self._level:
            return
        text = repair(block.text).text
        if not _SECTION.fullmatch(text.strip(" :.")) and not is_reference_title(text):
            self.found, self._level = text, block.level

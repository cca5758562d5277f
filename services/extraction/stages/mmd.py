"""Blocks → MMD: Markdown as Nougat's users know it, and the span of characters that each block became.

Running lines stand in comments: they stay in the file, and no renderer shows them.
"""

import re
from collections.abc import Sequence

from services.extraction.stages.drafts import BULLETS
from services.extraction.stages.headings import opens_text
from shared.contracts.documents import Block, Page

RUNNING = ("header", "footer", "page_number")

_MARKER = re.compile(rf"[{BULLETS}–·*-]\s+")
_MARKUP = re.compile(r"(#{1,6}\s|>|```|~~~|\|)")


def render_page(page: Page, offset: int) -> tuple[str, Page]:
    """The MMD that a page adds to a document already `offset` characters long, and the page with its spans filled in."""
    parts: list[str] = []
    placed: list[Block] = []
    for block in page.blocks:
        text = render_block(block)
        parts.append(separator(placed[-1] if placed else None, block) if offset else "")
        offset += len(parts[-1])
        placed.append(block.model_copy(update={"start": offset, "end": offset + len(text)}))
        parts.append(text)
        offset += len(text)
    return "".join(parts), page.model_copy(update={"blocks": tuple(placed)})


def separator(last: Block | None, block: Block) -> str:
    """A blank line between blocks; items of one list stand close."""
    return "\n" if last is not None and last.kind == block.kind == "list" else "\n\n"


def render_block(block: Block) -> str:
    if block.kind in RUNNING:
        return f"<!-- {block.kind}: {_commented(block.text)} -->"
    if block.kind == "heading":
        return "#" * max(1, block.level) + " " + block.text
    if block.kind == "list":
        return _MARKER.sub("- ", block.text, count=1)
    if block.kind == "code":
        fence = _fence(block.text)
        return f"{fence}\n{block.text}\n{fence}"
    return (
        block.text
        if block.kind == "table"
        else _MARKUP.sub(r"\\\1", block.text, count=1)
        if _MARKUP.match(block.text)
        else block.text
    )


def _commented(text: str) -> str:
    return text.replace("--", "- -")


def _fence(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def title_of(pages: Sequence[Page]) -> str | None:
    """The first heading of the highest level on the first two pages that is no section's."""
    found = [block for page in pages[:2] for block in page.blocks if block.kind == "heading"]
    headings = [block for block in found if not opens_text(block.text)]
    top = min((block.level for block in headings), default=0)
    return next((block.text for block in headings if block.level == top), None)

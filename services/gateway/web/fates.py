"""What became of each block of a page, told from what the stages wrote down: the blocks, the chunks and what was set aside."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.documents import Box, Chunk, GarbageItem, Page

RUNNING = ("header", "footer", "page_number", "citation", "boilerplate")


@dataclass(frozen=True, slots=True)
class Part:
    """A block as people see it. `fate`: kept, dropped or garbage; `chunks` are the numbers of those it went into."""

    number: int
    kind: str
    level: int
    text: str
    box: Box | None
    fate: str
    why: str = ""
    chunks: tuple[int, ...] = ()
    garbage: GarbageItem | None = None


def parts_of(page: Page, chunks: Sequence[Chunk], garbage: Sequence[GarbageItem], cleaned: bool) -> list[Part]:
    """The blocks of a page with what became of them. Chunks and garbage name the box that they came from, and so are
    found again by it. Nothing is said of a document that is not cleaned yet."""
    into: dict[Box, set[int]] = {}
    for chunk in chunks:
        for span in chunk.spans:
            if span.page == page.number and span.box is not None:
                into.setdefault(span.box, set()).add(chunk.index)
    aside = {item.box: item for item in garbage if item.box is not None}
    found = []
    for number, block in enumerate(page.blocks, 1):
        item = aside.get(block.box) if block.box is not None else None
        within = tuple(sorted(into.get(block.box, ()))) if block.box is not None else ()
        fate, why = _fate(block.kind, item, within, cleaned)
        found.append(Part(number, block.kind, block.level, block.text, block.box, fate, why, within, item))
    return found


def _fate(kind: str, item: GarbageItem | None, within: tuple[int, ...], cleaned: bool) -> tuple[str, str]:
    if item is not None:
        return "garbage", f"{item.reason}: {item.score:.2f}, threshold {item.threshold:.2f}"
    if within:
        return "kept", ""
    if kind in RUNNING:
        return "dropped", kind.replace("_", " ")
    if kind == "heading" or not cleaned:
        return "kept", ""
    return "dropped", "left out by cleaning"

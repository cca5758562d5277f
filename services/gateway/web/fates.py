"""What became of each block of a page, told from what the stages wrote down: the lines' fates, the chunks, the garbage."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.documents import Block, Box, Chunk, GarbageItem, LineFate, Page


@dataclass(frozen=True, slots=True)
class Part:
    """A block as people see it. `fate`: kept, dropped, set-aside, or unknown where it is not cleaned yet; `lines` are told
    where they fared differently; `chunks` are the numbers of those it went into."""

    number: int
    kind: str
    text: str
    box: Box | None
    fate: str
    why: str
    chunks: tuple[int, ...]
    lines: tuple[LineFate, ...] = ()


def parts_of(page: Page, lines: Sequence[LineFate], chunks: Sequence[Chunk], garbage: Sequence[GarbageItem]) -> list[Part]:
    """The blocks of a page with what became of them. Lines name their block; chunks and garbage name the box that they
    came from, and are found again by it."""
    of_block: dict[int, list[LineFate]] = {}
    for line in lines:
        of_block.setdefault(line.block, []).append(line)
    into: dict[Box, set[int]] = {}
    for chunk in chunks:
        for span in chunk.spans:
            if span.page == page.number and span.box is not None:
                into.setdefault(span.box, set()).add(chunk.index)
    aside = {item.box: item for item in garbage if item.box is not None}
    return [
        _part(number, block, of_block.get(number, []), into, aside.get(block.box) if block.box is not None else None)
        for number, block in enumerate(page.blocks)
    ]


def _part(number: int, block: Block, lines: list[LineFate], into: dict[Box, set[int]], item: GarbageItem | None) -> Part:
    fates = {line.fate for line in lines}
    fate = "unknown" if not fates else "kept" if "kept" in fates else "set-aside" if "set-aside" in fates else "dropped"
    within = tuple(sorted(into.get(block.box, ()))) if block.box is not None else ()
    mixed = tuple(lines) if len(fates) > 1 else ()
    return Part(number + 1, block.kind, block.text, block.box, fate, _why(fate, lines, item), within, mixed)


def _why(fate: str, lines: list[LineFate], item: GarbageItem | None) -> str:
    if fate == "set-aside" and item is not None:
        return f"{item.reason.replace('-', ' ')}: {item.score:.2f}, threshold {item.threshold:.2f}"
    if fate in ("kept", "unknown"):
        return ""
    reasons = dict.fromkeys(line.reason or line.label for line in lines)
    sure = [line.confidence for line in lines if line.confidence is not None]
    told = ", ".join(reason.replace("_", " ") for reason in reasons)
    return f"{told} (confidence {min(sure):.2f})" if sure else told

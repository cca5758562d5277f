"""What became of a page's blocks, from what the stages wrote down."""

from services.gateway.web.fates import parts_of
from shared.contracts.documents import Block, Chunk, GarbageItem, LineFate, Page, Span

BOXES = [(10.0, 10.0 * at, 90.0, 10.0 * at + 8) for at in range(4)]


def line(block: int, fate: str, reason: str = "", label: str = "content", confidence: float | None = None) -> LineFate:
    return LineFate.model_validate(
        {"page": 3, "block": block, "line": 0, "text": "words", "box": None, "label": label, "fate": fate, "reason": reason}
        | {"confidence": confidence}
    )


def page() -> Page:
    blocks = tuple(Block(kind="paragraph", text=f"block {at}", box=box, start=0, end=7) for at, box in enumerate(BOXES))
    return Page(number=3, engine="text-layer", blocks=blocks)


def test_each_block_is_told_its_fate_and_why() -> None:
    lines = [
        line(0, "dropped", "header", "header", 0.91), line(1, "kept"), line(1, "dropped", "citation", "citation"),
        line(2, "set-aside", "few-letters"),
    ]  # fmt: skip
    item = GarbageItem(id="g", document="d", text="~~", reason="few-letters", score=0.2, threshold=0.5, page=3, box=BOXES[2])
    header, mixed, garbage, unread = parts_of(page(), lines, [], [item])
    assert (header.fate, header.why, header.lines) == ("dropped", "header (confidence 0.91)", ())
    assert (mixed.fate, mixed.why, len(mixed.lines)) == ("kept", "", 2)
    assert (garbage.fate, garbage.why) == ("set-aside", "few letters: 0.20, threshold 0.50")
    assert (unread.fate, unread.why) == ("unknown", "")


def test_a_chunk_belongs_to_the_blocks_whose_boxes_it_names_on_this_page() -> None:
    spans = (Span(page=3, box=BOXES[1], start=0, end=5), Span(page=4, box=BOXES[2], start=5, end=9))
    chunk = Chunk(id="c", document="d", index=7, text="words", tokens=1, spans=spans)
    assert [part.chunks for part in parts_of(page(), [], [chunk], [])] == [(), (7,), (), ()]

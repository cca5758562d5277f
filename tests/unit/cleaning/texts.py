"""Pages and pieces for the tests."""

from shared.contracts.documents import Block, BlockKind, Page, Piece

SENTENCES = (
    "The gauge is read each morning.",
    "Its float rises and falls in a well of cast iron.",
    "A pen writes the level on a drum of paper.",
    "Nobody has found a better place for it.",
    "Three inquiries were held, and each of them said so.",
    "The drum is changed on the first Monday of a month.",
)
PROSE = " ".join(SENTENCES)
LETTER = "We were glad of your visit in the autumn. The new pump is at work, and the cellar has been dry since."


def block(text: str, kind: BlockKind = "paragraph", level: int = 0, top: float = 300.0) -> Block:
    return Block(kind=kind, text=text, box=(60.0, top, 500.0, top + 20.0), start=0, end=0, level=level)


def page(*blocks: Block, number: int = 1) -> Page:
    return Page(number=number, width=595.0, height=842.0, engine="text-layer", blocks=blocks)


def piece(
    text: str, kind: BlockKind = "paragraph", section: tuple[str, ...] = ("Gauges",), number: int = 1, top: float = 300.0
) -> Piece:
    return Piece(text=text, kind=kind, page=number, box=(60.0, top, 500.0, top + 20.0), start=0, end=len(text), section=section)


def words(text: str) -> int:
    """The tests' tokenizer: words between spaces."""
    return len(text.split())

"""The lines of a page, each of which gets a label, and blocks cut where lines that stay and lines that leave meet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from shared.contracts.documents import Block, BlockKind, Box, Line, LineLabel

WHOLE: frozenset[BlockKind] = frozenset({"table", "code", "formula"})
"""Blocks whose text is markup or keeps its lines: they stay or leave as a whole."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A line's label, and how sure a model is of it; rules do not say."""

    label: LineLabel
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line as it is read. `size` is 0 where it is not known."""

    text: str
    box: Box | None
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A run of lines of a block with one fate: `block` holds their text alone. `leaves` is the label that takes them out."""

    block: Block
    leaves: LineLabel | None
    first: int
    lines: Sequence[TextLine]
    tags: Sequence[Tag]


def lines_of(block: Block) -> tuple[TextLine, ...]:
    """One for each line of the page map, or for each line of the text where the page map has none."""
    if block.lines:
        return tuple(TextLine(line.text, line.box, line.font_size) for line in block.lines)
    return tuple(TextLine(text, block.box) for text in block.text.split("\n")) if block.text else ()


def parts(
    block: Block, lines: Sequence[TextLine], tags: Sequence[Tag], leaving: frozenset[LineLabel], min_confidence: float
) -> Iterator[Part]:
    """A block cut where its lines' fates part; in one part where its text cannot be told apart by lines. A line whose label
    is less sure than `min_confidence` stays."""
    fates = [tag.label if tag.label in leaving and _sure(tag, min_confidence) else None for tag in tags]
    cuts = None if len(set(fates)) < 2 or block.kind in WHOLE else _cuts(block, lines)
    if cuts is None:
        yield Part(block, _prevailing(lines, fates), 0, lines, tags)
        return
    for fate, run in groupby(range(len(lines)), key=fates.__getitem__):
        numbers = list(run)
        first, end = numbers[0], numbers[-1] + 1
        yield Part(_cut(block, first, end, cuts[first], cuts[end]), fate, first, lines[first:end], tags[first:end])


def _sure(tag: Tag, min_confidence: float) -> bool:
    return tag.confidence is None or tag.confidence >= min_confidence


def _prevailing(lines: Sequence[TextLine], fates: Sequence[LineLabel | None]) -> LineLabel | None:
    """The fate of most of the text."""
    if len(set(fates)) == 1:
        return fates[0]
    return max(dict.fromkeys(fates), key=lambda fate: _characters(lines, lambda at: fates[at] == fate), default=None)


def _characters(lines: Sequence[TextLine], counted: Callable[[int], bool]) -> int:
    return sum(len(line.text) for at, line in enumerate(lines) if counted(at))


def _cuts(block: Block, lines: Sequence[TextLine]) -> list[int] | None:
    """Where in a block's text its lines begin, and its end. Joining lines changes nothing but hyphens and spaces; where more
    was changed, nobody can tell."""
    if not block.lines:
        return [*accumulate((len(line.text) + 1 for line in lines[:-1]), initial=0), len(block.text)]
    letters = [at for at, char in enumerate(block.text) if char.isalnum()]
    if "".join(block.text[at] for at in letters) != "".join(char for line in lines for char in line.text if char.isalnum()):
        return None
    counts = accumulate(sum(char.isalnum() for char in line.text) for line in lines[:-1])
    return [0, *(letters[count] if count < len(letters) else len(block.text) for count in counts), len(block.text)]


def _cut(block: Block, first: int, end: int, start: int, stop: int) -> Block:
    lines = block.lines[first:end]
    return block.model_copy(
        update={
            "text": block.text[start:stop], "lines": lines, "start": block.start + start,
            "box": around(lines) if lines else block.box,
        }
    )  # fmt: skip


def around(lines: Sequence[Line]) -> Box:
    return (
        min(line.box[0] for line in lines), min(line.box[1] for line in lines),
        max(line.box[2] for line in lines), max(line.box[3] for line in lines),
    )  # fmt: skip

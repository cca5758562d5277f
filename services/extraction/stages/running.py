"""Running headers, footers and page numbers: what recurs in the margins of a document's pages."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from services.extraction.stages.lines import Segment
from shared.contracts.documents import BlockKind

MARGIN_SHARE = 0.1
REPEAT_SHARE = 0.3

_NUMBER = re.compile(r"(?:page\s*)?[-–—|\s]*(?:\d{1,4}|[ivxlc]{1,6})[-–—|\s]*(?:(?:of|/)\s*\d{1,4})?", re.IGNORECASE)


def running_key(text: str) -> str:
    """A line as it recurs: numbers differ from page to page."""
    return re.sub(r"\d+", "#", " ".join(text.split())).casefold()


def in_margin(segment: Segment, height: float) -> bool:
    return segment.bottom <= MARGIN_SHARE * height or segment.top >= (1 - MARGIN_SHARE) * height


def recurring(pages: Iterable[tuple[float, Sequence[Segment]]]) -> frozenset[str]:
    """Keys of margin lines that recur, given each page's height and segments."""
    counts: Counter[str] = Counter()
    total = 0
    for height, pieces in pages:
        total += 1
        counts.update({running_key(piece.text) for piece in pieces if in_margin(piece, height)})
    least = max(2.0, REPEAT_SHARE * total)
    return frozenset(key for key, count in counts.items() if count >= least and any(c.isalpha() for c in key))


def part_running(
    pieces: Sequence[Segment], height: float, running: frozenset[str]
) -> tuple[list[tuple[BlockKind, Segment]], list[Segment]]:
    """A page's segments, parted into running lines with their kind and the body."""
    recurs = [in_margin(piece, height) and running_key(piece.text) in running for piece in pieces]
    beside = {round(piece.baseline) for piece, known in zip(pieces, recurs, strict=True) if known}
    others = [piece.baseline for piece, known in zip(pieces, recurs, strict=True) if not known]
    first, last = min(others, default=0.0), max(others, default=0.0)
    margins: list[tuple[BlockKind, Segment]] = []
    body: list[Segment] = []
    for piece, known in zip(pieces, recurs, strict=True):
        edge = piece.baseline <= first + 2 or piece.baseline >= last - 2
        if in_margin(piece, height) and (known or edge or round(piece.baseline) in beside):
            kind = _running_kind(piece, height, known or round(piece.baseline) in beside)
        else:
            kind = None
        if kind is None:
            body.append(piece)
        else:
            margins.append((kind, piece))
    return margins, body


def _running_kind(piece: Segment, height: float, recurs: bool) -> BlockKind | None:
    if _NUMBER.fullmatch(piece.text.strip()):
        return "page_number"
    if not recurs:
        return None
    return "header" if piece.top < height / 2 else "footer"

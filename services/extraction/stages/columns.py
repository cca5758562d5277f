"""Reading order: a page is cut at its gutters, band by band between the lines that span them."""

from collections.abc import Sequence
from itertools import accumulate
from statistics import median

from services.extraction.stages.lines import Row, Segment, rows

MIN_LINES_BESIDE = 4
MAX_DEPTH = 4
WIDEST_POINTS = 20_000
STRIP_GAP_EM = 0.3
MAX_UNSAID_STRIPS = 3


def reading_order(pieces: Sequence[Segment], depth: int = 0) -> list[list[Row]]:
    """Columns of rows, in the order in which they are read. What spans a gutter parts the columns above and below it."""
    gutter = _gutter(pieces) if depth < MAX_DEPTH else None
    if gutter is None:
        return [rows(pieces)] if pieces else []
    columns: list[list[Row]] = []
    for side_by_side, band in _bands(pieces, gutter):
        if not side_by_side:
            columns.append(rows(band))
            continue
        left = [piece for piece in band if piece.right <= gutter]
        right = [piece for piece in band if piece.right > gutter]
        sides = (right, left) if _is_aside(left, right) else (left, right)
        columns += [column for side in sides for column in reading_order(side, depth + 1)]
    return columns


def _gutter(pieces: Sequence[Segment]) -> float | None:
    """The x that the fewest segments cross, where enough of them lie wholly on either side."""
    origin = int(min((piece.left for piece in pieces), default=0.0))
    width = int(max((piece.right for piece in pieces), default=0.0)) - origin + 2
    if len(pieces) < 2 * MIN_LINES_BESIDE or width > WIDEST_POINTS:
        return None
    crossing, left, right = _profile(pieces, origin, width)
    best: tuple[float, int, float] | None = None
    start = None
    for x in range(width):
        beside = min(left[x], right[x])
        open_here = beside >= MIN_LINES_BESIDE and crossing[x] <= 0.5 * beside
        if open_here and (start is None or crossing[x] != crossing[start]):
            start = x
        elif not open_here:
            start = None
        if start is not None and x - start >= 4:
            candidate = (crossing[x] / beside, start - x, origin + (start + x + 1) / 2)
            best = min(best, candidate) if best else candidate
    return best[2] if best else None


def _profile(pieces: Sequence[Segment], origin: int, width: int) -> tuple[list[int], list[int], list[int]]:
    """For each point of the width: segments that cross it, that end before it, and that begin after it."""
    begins, ends = [0] * (width + 2), [0] * (width + 2)
    for piece in pieces:
        begins[int(piece.left) - origin] += 1
        ends[int(piece.right) - origin + 1] += 1
    begun, ended = list(accumulate(begins)), list(accumulate(ends))
    crossing = [begun[x] - ended[x] for x in range(width)]
    return crossing, ended[:width], [len(pieces) - begun[x] for x in range(width)]


def _bands(pieces: Sequence[Segment], gutter: float) -> list[tuple[bool, list[Segment]]]:
    """Segments from top to bottom, parted into runs that stand in columns beside the gutter and runs that do not."""
    bands: list[tuple[bool, list[Segment]]] = []
    strips = _strips(pieces)
    for columnar, strip in zip(_settled([_columnar(strip, gutter) for strip in strips]), strips, strict=True):
        if bands and bands[-1][0] == columnar:
            bands[-1][1].extend(strip)
        else:
            bands.append((columnar, list(strip)))
    return bands


def _settled(verdicts: Sequence[bool | None]) -> list[bool]:
    """A few strips that do not say go with columns above or below them; a longer run of them is a table."""
    settled: list[bool] = []
    while len(settled) < len(verdicts):
        start = len(settled)
        end = next((i for i in range(start, len(verdicts)) if verdicts[i] is not None), len(verdicts))
        beside = (start > 0 and settled[-1]) or (end < len(verdicts) and verdicts[end] is True)
        settled += [beside and end - start <= MAX_UNSAID_STRIPS] * (end - start)
        settled += [verdicts[end] is True] if end < len(verdicts) else []
    return settled


def _strips(pieces: Sequence[Segment]) -> list[list[Segment]]:
    """Parts of a page with white between them from edge to edge."""
    strips: list[list[Segment]] = []
    bottom = 0.0
    for piece in sorted(pieces, key=lambda piece: (piece.top, piece.left)):
        if strips and piece.top - bottom < STRIP_GAP_EM * piece.size:
            strips[-1].append(piece)
        else:
            strips.append([piece])
        bottom = max(bottom, piece.bottom)
    return strips


def _columnar(strip: Sequence[Segment], gutter: float) -> bool | None:
    """Whether a strip is parted by the gutter; None where it is one line at most on either side and so does not say."""
    left = [piece for piece in strip if piece.right <= gutter]
    right = [piece for piece in strip if piece.left >= gutter]
    if len(left) + len(right) < len(strip):
        return False
    if (len(left) <= 1 and len(right) <= 1) or not (left and right):
        return None
    return _are_columns(left, right)


def _are_columns(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Whether two sides are read one after the other (prose), and not across (rows of a table).

    The rows of a table share their baselines and hold few words a cell.
    """
    wordy = max(median(piece.words for piece in left), median(piece.words for piece in right)) >= 5
    baselines = {round(piece.baseline) + off for piece in right for off in (-1, 0, 1)}
    aligned = sum(round(piece.baseline) in baselines for piece in left)
    return wordy or aligned < 0.5 * min(len(left), len(right))


def _is_aside(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Whether the left side is a margin note: narrower than the right and in smaller print. It is read afterwards."""
    width_left = max(piece.right for piece in left) - min(piece.left for piece in left)
    width_right = max(piece.right for piece in right) - min(piece.left for piece in right)
    smaller = median(piece.size for piece in left) < 0.95 * median(piece.size for piece in right)
    return smaller and width_left < 0.6 * width_right

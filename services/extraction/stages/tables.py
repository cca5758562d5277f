"""A run of rows with several cells → a Markdown table, its columns found by where cells stand."""

from collections.abc import Sequence

from services.extraction.stages.lines import Row, Segment

Interval = tuple[float, float]

BAR, ESCAPED_BAR = "|", "\\|"


MIN_FILLED = 0.4


def is_table(rows: Sequence[Row]) -> bool:
    """Whether rows with several cells hold a table's words and figures; what a large formula falls apart into does not."""
    columns = _columns(rows)
    cells = [cell.text for row in rows for cell in row.cells]
    wordy = sum(len(text) >= 2 and any(c.isalnum() for c in text) for text in cells)
    return len(columns) >= 2 and len(cells) >= MIN_FILLED * len(columns) * len(rows) and wordy >= 0.5 * len(cells)


def markdown_table(rows: Sequence[Row]) -> str:
    """The first row is taken for the header, as Markdown wants one."""
    columns = _columns(rows)
    grid = [_placed(row, columns) for row in rows]
    lines = ["| " + " | ".join(line) + " |" for line in grid]
    lines.insert(1, "|" + " --- |" * len(columns))
    return "\n".join(lines)


def _columns(rows: Sequence[Row]) -> list[Interval]:
    """Where cells of the fuller rows overlap, there is a column."""
    fullest = max(len(row.cells) for row in rows)
    full = [row for row in rows if len(row.cells) >= 0.7 * fullest]
    intervals = sorted((cell.left, cell.right) for row in full for cell in row.cells)
    columns = [intervals[0]]
    for left, right in intervals[1:]:
        if left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _placed(row: Row, columns: Sequence[Interval]) -> list[str]:
    texts = [""] * len(columns)
    for cell in row.cells:
        index = _nearest(cell, columns)
        texts[index] = f"{texts[index]} {cell.text.replace(BAR, ESCAPED_BAR)}".strip()
    return texts


def _nearest(cell: Segment, columns: Sequence[Interval]) -> int:
    middle = (cell.left + cell.right) / 2
    return min(range(len(columns)), key=lambda i: abs(middle - (columns[i][0] + columns[i][1]) / 2))

"""Examples end to end in rows, so that nothing is computed on padding; each still sees itself alone.

Best-fit decreasing, the packing of Ding et al. 2024 ("Fewer Truncations Improve Language Modeling"): no example is cut.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from services.training.stages.examples import IGNORED, Encoded


@dataclass(frozen=True, slots=True)
class Row:
    """Several examples end to end. `lengths` says where each ends."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FlatBatch:
    """A batch as one row. `positions` begin at 0 in every example; example i is `ends[i]` to `ends[i + 1]`."""

    ids: list[int]
    labels: list[int]
    positions: list[int]
    ends: list[int]
    longest: int


def fill(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Indices of examples by row: each row holds at most `capacity` tokens, each example is in one row."""
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), smallest first
    for index in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        at = bisect_left(room, (lengths[index], -1))
        left, row = room.pop(at) if at < len(room) else (capacity, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(index)
        insort(room, (left - lengths[index], row))
    return rows


def rows_of(examples: Sequence[Encoded], packing: str, capacity: int) -> list[Row]:
    """What the trainer sees as its examples: sequences filled to `capacity` with packing full, else one example a row."""
    groups = fill([len(one.ids) for one in examples], capacity) if packing == "full" else [[at] for at in range(len(examples))]
    return [_row([examples[at] for at in group]) for group in groups]


def flatten(rows: Sequence[Row]) -> FlatBatch:
    """Rows end to end. The first label of every example is left out: what precedes it is another example's end."""
    lengths = [length for row in rows for length in row.lengths]
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    labels = [label for row in rows for label in row.labels]
    for begin in ends[:-1]:
        labels[begin] = IGNORED
    return FlatBatch(
        ids=[token for row in rows for token in row.ids], labels=labels,
        positions=[position for length in lengths for position in range(length)], ends=ends, longest=max(lengths),
    )  # fmt: skip


def _row(examples: Sequence[Encoded]) -> Row:
    return Row(
        ids=tuple(token for one in examples for token in one.ids),
        labels=tuple(label for one in examples for label in one.labels),
        lengths=tuple(len(one.ids) for one in examples),
    )

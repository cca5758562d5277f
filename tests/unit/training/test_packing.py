"""Examples laid end to end: each once, none cut, none over the capacity, and no label that another's end would foretell."""

from hypothesis import given
from hypothesis import strategies as st

from services.training.stages.examples import IGNORED, Encoded
from services.training.stages.packing import fill, flatten, rows_of

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=80)


def example(length: int, first: int = 0) -> Encoded:
    ids = tuple(range(first, first + length))
    return Encoded(ids, ids)


@given(LENGTHS)
def test_every_example_is_in_one_row_and_no_row_is_over_its_capacity(lengths: list[int]) -> None:
    rows = fill(lengths, 64)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert max(sum(lengths[index] for index in row) for row in rows) <= 64
    assert rows == fill(lengths, 64)


@given(LENGTHS)
def test_rows_are_filled_so_well_that_no_two_of_them_would_fit_in_one(lengths: list[int]) -> None:
    loads = sorted(sum(lengths[index] for index in row) for row in fill(lengths, 64))
    assert len(loads) < 2 or loads[0] + loads[1] > 64


@given(LENGTHS)
def test_a_flat_batch_begins_each_example_at_position_0_without_a_label_there(lengths: list[int]) -> None:
    rows = rows_of([example(length, 100 * at) for at, length in enumerate(lengths)], "full", 64)
    batch = flatten(rows)
    assert len(batch.ids) == len(batch.labels) == len(batch.positions) == batch.ends[-1] == sum(lengths)
    assert sorted(end - begin for begin, end in zip(batch.ends[:-1], batch.ends[1:], strict=True)) == sorted(lengths)
    assert batch.longest == max(lengths)
    for begin, end in zip(batch.ends[:-1], batch.ends[1:], strict=True):
        assert batch.positions[begin:end] == list(range(end - begin))
        assert batch.ids[begin] % 100 == 0
        assert batch.labels[begin] == IGNORED
        assert batch.labels[begin + 1 : end] == batch.ids[begin + 1 : end]


def test_without_filling_a_row_is_an_example() -> None:
    rows = rows_of([example(5), example(3)], "batch", 64)
    assert [row.lengths for row in rows] == [(5,), (3,)]

"""What the benchmark compares tools by: tables as pairs of neighbours, text as a reader sees it, truths of our examples."""

from pathlib import Path

from benchmarks.comparison.grids import neighbours, tables_of
from benchmarks.comparison.plain import seen
from benchmarks.comparison.truths import example_truths

MARKDOWN = "Before\n\n| Pier | High |\n| --- | --- |\n| Long | 7.38 |\n| Short |  |\n\nAfter"
HTML = "<table><tr><th rowspan='2'>Pier</th><th colspan=\"2\">Level</th></tr><tr><td>High</td><td>Low</td></tr></table>"


def test_a_markdown_table_is_its_cells_and_not_its_dashes() -> None:
    (grid,) = tables_of(MARKDOWN)

    assert grid[1, 0][0] == "long"
    assert neighbours([grid])["pier", "high", "right"] == 1
    assert neighbours([grid])["long", "738", "right"] == 1


def test_blank_cells_are_passed_over() -> None:
    assert neighbours(tables_of("| a |  | c |\n|---|---|---|\n| d | e | f |"))["a", "c", "right"] == 1


def test_a_cell_that_spans_rows_or_columns_has_all_its_neighbours() -> None:
    pairs = neighbours(tables_of(HTML))

    assert pairs["pier", "level", "right"] == pairs["pier", "high", "right"] == 1
    assert pairs["level", "high", "below"] == pairs["level", "low", "below"] == 1
    assert not pairs["level", "level", "right"]


def test_markup_is_not_text() -> None:
    assert (
        seen("## A *heading* with [a link](http://x.example) and $\\alpha_{1} \\leq 2$") == "A heading with a link and α 1 ≤ 2"
    )


def test_each_example_has_a_truth_made_of_its_source() -> None:
    truths = example_truths(Path(__file__).parents[3] / "examples")

    assert len(truths) == 10
    assert all(truth is not None and truth.text.startswith("# ") for truth in truths.values())

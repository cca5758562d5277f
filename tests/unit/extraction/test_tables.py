"""Tables: where cells stand, and the lines that rule them, say which text belongs to which row and column."""

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from services.extraction.local import Extracted, extract_file
from services.extraction.stages.rulings import grids, merged
from services.extraction.stages.words import Rule
from shared.contracts.documents import Block, Page
from tests.unit.extraction.pdfs import PROSE, flow, typeset


def blocks_of(path: Path) -> list[Block]:
    found = extract_file(path)
    assert isinstance(found, Extracted)
    return [block for line in found.pages.splitlines() for block in Page.model_validate_json(line).blocks]


def table_of(path: Path) -> str:
    (table,) = [block for block in blocks_of(path) if block.kind == "table"]
    return table.text


def cells(canvas: Canvas, rows: list[tuple[str, ...]], xs: tuple[float, ...], y: float, step: float = 14) -> float:
    canvas.setFont("Helvetica", 10)
    for row in rows:
        for x, text in zip(xs, row, strict=True):
            canvas.drawString(x, y, text)
        y -= step
    return y


def test_columns_nearer_than_two_ems_are_told_apart_by_the_white_that_all_rows_leave(tmp_path: Path) -> None:
    rows = [("Year", "1", "2", "3"), *[(f"Station number {i}", f"{i}.1", f"{i}.2", f"{i}.3") for i in range(1, 7)]]

    table = table_of(typeset(tmp_path / "t.pdf", lambda canvas: cells(canvas, rows, (60, 160, 182, 204), 700) and None))

    assert table.splitlines()[0] == "| Year | 1 | 2 | 3 |"
    assert table.splitlines()[-1] == "| Station number 6 | 6.1 | 6.2 | 6.3 |"


def test_a_ruled_grid_keeps_the_lines_of_a_cell_together(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.grid([60, 200, 400], [700, 670, 640, 610])
        cells(
            canvas, [("Part", "What it is for"), ("Float", "rises and falls"), ("Drum", "takes the paper")], (65, 205), 690, 30
        )
        cells(canvas, [("of cork", "with the tide")], (65, 205), 648)

    assert table_of(typeset(tmp_path / "t.pdf", draw)).splitlines() == [
        "| Part | What it is for |",
        "| --- | --- |",
        "| Float of cork | rises and falls with the tide |",
        "| Drum | takes the paper |",
    ]  # fmt: skip


def test_cells_that_no_line_parts_span_columns_and_are_written_as_html(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for y in (700, 680, 660, 640):
            canvas.line(60, y, 360, y)
        for x in (60, 160, 360):
            canvas.line(x, 640, x, 700)
        canvas.line(260, 640, 260, 680)
        cells(canvas, [("Pier", "Levels in metres")], (65, 170), 686)
        cells(canvas, [("", "High", "Low"), ("Long Pier", "7.38", "0.41")], (65, 165, 265), 666, 20)

    assert '<td colspan="2">Levels in metres</td>' in table_of(typeset(tmp_path / "t.pdf", draw))


def test_a_line_under_a_head_says_which_columns_it_is_for(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for y in (715, 680, 620):
            canvas.line(60, y, 400, y)
        canvas.line(150, 700, 400, 700)
        cells(canvas, [("", "Lead time in years")], (60, 230), 704)
        rows = [("Statistic", "1", "2", "3"), ("Enrolment", "0.3", "0.6", "0.8"), ("Teachers", "0.8", "1.4", "1.7")]
        cells(canvas, rows, (60, 170, 270, 370), 687, 18)

    table = table_of(typeset(tmp_path / "t.pdf", draw))

    assert '<td colspan="3">Lead time in years</td>' in table
    assert '<td rowspan="2">Statistic</td>' in table


def test_two_cells_between_rules_are_a_table_even_without_a_second_row(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for y in (715, 698, 600):
            canvas.line(60, y, 400, y)
        cells(canvas, [("With the new gauge", "Without the gauge")], (80, 260), 703)

    assert table_of(typeset(tmp_path / "t.pdf", draw)).startswith("| With the new gauge | Without the gauge |")


def test_prose_in_two_columns_is_no_table(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.line(50, 760, 540, 760)
        for x in (60, 310):
            flow(canvas, f"{PROSE} {PROSE}", x, 740, 220)
        canvas.line(50, 560, 540, 560)

    assert {block.kind for block in blocks_of(typeset(tmp_path / "t.pdf", draw))} == {"paragraph"}


def test_a_frame_around_text_is_no_table(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.rect(50, 600, 400, 160)
        flow(canvas, PROSE, 60, 740, 380)

    assert [block.kind for block in blocks_of(typeset(tmp_path / "t.pdf", draw))] == ["paragraph"]


def test_figures_over_the_whole_width_are_a_table_and_not_columns(tmp_path: Path) -> None:
    rows = [
        ("Appropriated programs of the year .........", "699", "709", "700"),
        ("Social security and medicare of all .......", "725", "773", "820"),
        ("Other mandatory programs of the state .....", "631", "635", "571"),
        ("Net interest of the whole of the debt .....", "230", "223", "246"),
    ] * 2

    table = table_of(typeset(tmp_path / "t.pdf", lambda canvas: cells(canvas, rows, (60, 330, 400, 470), 700) and None))

    assert table.splitlines()[0] == "| Appropriated programs of the year | 699 | 709 | 700 |"


def test_pieces_of_a_line_are_one_line() -> None:
    across, down = merged([Rule(10, 50, 40, 50), Rule(42, 50.4, 90, 50.4), Rule(20, 10, 20, 60), Rule(200, 50, 260, 50)])

    assert [(rule.left, rule.right) for rule in across] == [(10, 90), (200, 260)]
    assert len(down) == 1


@pytest.mark.parametrize("gap", [0, 2.5])
def test_lines_that_meet_or_nearly_meet_make_a_grid(gap: float) -> None:
    across = [Rule(10, y, 110, y) for y in (10, 40, 70)]
    down = [Rule(x, 10 + gap, x, 70) for x in (10, 60, 110)]

    (region,) = grids(across, down)

    assert region.lattice
    assert (region.left, region.top, region.right, region.bottom) == (10, 10, 110, 70)


def test_a_cell_that_wraps_between_rules_goes_on_in_its_row(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for y in (714, 697, 610):
            canvas.line(60, y, 372, y)
        lines = [
            ("Model", "Loss", "Remarks"),
            ("Baseline", "0.52", "The usual model that everybody knows"),
            ("", "", "with words that wrap over two lines."),
            ("Ours", "0.47", "Short remark."),
            ("Others", "0.61", "Another remark that is long enough to"),
            ("", "", "need a second line."),
        ]
        cells(canvas, lines, (62, 130, 195), 702, 13)

    assert table_of(typeset(tmp_path / "t.pdf", draw)).splitlines()[2:] == [
        "| Baseline | 0.52 | The usual model that everybody knows with words that wrap over two lines. |",
        "| Ours | 0.47 | Short remark. |",
        "| Others | 0.61 | Another remark that is long enough to need a second line. |",
    ]


def test_the_scales_of_a_chart_are_no_table(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 8)
        for step in range(6):
            y = 500 + 30 * step
            canvas.line(80, y, 500, y)
            canvas.drawString(60, y - 3, str(50 * step))
            canvas.drawString(505, y - 3, str(20 * step))
        path = canvas.beginPath()
        path.moveTo(80, 500)
        for step in range(1, 60):
            path.lineTo(80 + 7 * step, 500 + (step * 37) % 140)
        canvas.drawPath(path)

    assert not [block for block in blocks_of(typeset(tmp_path / "t.pdf", draw)) if block.kind == "table"]

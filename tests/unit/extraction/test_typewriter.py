"""Typewriter print in text: addresses and names in a sentence, items of a list, and code; and dots that lead the eye."""

from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from services.extraction.local import Extracted, extract_file
from tests.unit.extraction.pdfs import typeset


def test_an_address_that_ends_a_sentence_is_no_code(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        canvas.drawString(72, 700, "The tables of all tides of the northern pier may be had from the society")
        canvas.setFont("Courier", 10)
        canvas.drawString(72, 688, "(https://example.org/tides).")
        for line, y in (("for tide in tides:", 650), ("    print(tide.level)", 638)):
            canvas.drawString(72, y, line)
        canvas.showPage()

    found = extract_file(typeset(tmp_path / "address.pdf", draw))

    assert isinstance(found, Extracted)
    assert "from the society (https://example.org/tides)." in found.mmd
    assert "```\nfor tide in tides:\n    print(tide.level)\n```" in found.mmd


def test_names_behind_bullets_are_items(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for index, name in enumerate(("GAUGE_LEVEL", "PIER_LEVEL")):
            canvas.setFont("Helvetica", 10)
            canvas.drawString(72, 600 - 12 * index, "•")
            canvas.setFont("Courier", 10)
            canvas.drawString(80, 600 - 12 * index, f"{name};")
        canvas.setFont("Helvetica", 10)
        canvas.drawString(72, 500, "What the gauges say is said by these names, and the society keeps a list of them.")
        canvas.showPage()

    found = extract_file(typeset(tmp_path / "items.pdf", draw))

    assert isinstance(found, Extracted)
    assert found.mmd.startswith("- GAUGE_LEVEL;\n- PIER_LEVEL;\n")


def test_entries_of_a_table_of_contents_stand_apart_and_are_no_code(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        for index, name in enumerate(("Gauges", "Piers", "Tides")):
            canvas.drawString(72, 700 - 12 * index, f"{name} ")
            for dot in range(40):
                canvas.drawString(112 + 5 * dot, 700 - 12 * index, ".")
            canvas.drawString(315, 700 - 12 * index, str(index + 4))
        canvas.showPage()

    found = extract_file(typeset(tmp_path / "contents.pdf", draw))

    assert isinstance(found, Extracted) and "```" not in found.mmd
    assert [line.split()[0] for line in found.mmd.split("\n\n")] == ["Gauges", "Piers", "Tides"]

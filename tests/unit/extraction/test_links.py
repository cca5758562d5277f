"""What a document says of itself beside its text: links, outline, metadata."""

from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from services.extraction.local import Extracted, extract_file
from shared.contracts.documents import OutlineEntry, Page
from tests.unit.extraction.pdfs import PROSE, typeset


def draw(canvas: Canvas) -> None:
    canvas.setAuthor("Aino\nBrandt")
    canvas.drawString(72, 700, PROSE[:60])
    canvas.bookmarkPage("gauges")
    canvas.addOutlineEntry("Gauges", "gauges", level=0)
    canvas.bookmarkPage("pier")
    canvas.addOutlineEntry("Of the pier", "pier", level=1)
    canvas.linkURL("https://example.org/tides", (72, 690, 172, 710))
    canvas.linkURL("javascript:alert(1)", (72, 590, 172, 610))
    canvas.linkURL("file:///etc/passwd", (72, 490, 172, 510))
    canvas.linkAbsolute("back", "gauges", (300, 690, 320, 710))
    canvas.showPage()


def test_links_stand_in_the_page_map_and_the_text_stays_plain(tmp_path: Path) -> None:
    found = extract_file(typeset(tmp_path / "linked.pdf", draw))

    assert isinstance(found, Extracted)
    links = Page.model_validate_json(found.pages).links
    assert [link.target for link in links] == ["https://example.org/tides", "#page=1"]
    assert [round(edge) for edge in links[0].box] == [72, 132, 172, 152]
    assert "example.org" not in found.mmd


def test_the_outline_and_what_its_maker_wrote_are_part_of_the_result(tmp_path: Path) -> None:
    found = extract_file(typeset(tmp_path / "linked.pdf", draw))

    assert isinstance(found, Extracted)
    assert found.result.outline == (
        OutlineEntry(title="Gauges", level=1, page=1),
        OutlineEntry(title="Of the pier", level=2, page=1),
    )
    assert found.result.metadata["author"] == "Aino Brandt"

"""From a page's words to blocks: what readers see is what comes out, in the order in which they read it."""

from pathlib import Path

import pytest

from services.extraction.local import Extracted, extract_file
from services.extraction.stages.glyphs import RawPage, Word
from services.extraction.stages.hyphens import joined, vocabulary
from services.extraction.stages.style import survey
from services.extraction.stages.text_layer import read_page
from shared.contracts.documents import Block, Page
from tests.unit.extraction.pdfs import HEIGHT, PROSE, by_hand, flow, heading, paper, typeset

GOLDEN = Path(__file__).parent / "golden"


def extracted(path: Path) -> Extracted:
    result = extract_file(path)
    assert isinstance(result, Extracted)
    return result


def pages_of(path: Path) -> list[Page]:
    return [Page.model_validate_json(line) for line in extracted(path).pages.splitlines()]


def blocks_of(path: Path) -> list[Block]:
    return [block for page in pages_of(path) for block in page.blocks]


def test_the_mmd_of_a_paper_is_what_it_was(tmp_path: Path) -> None:
    mmd = extracted(paper(tmp_path / "paper.pdf")).mmd

    assert mmd == (GOLDEN / "paper.mmd").read_text(encoding="utf-8")


def test_the_same_bytes_give_the_same_mmd_and_page_map(tmp_path: Path) -> None:
    path = paper(tmp_path / "paper.pdf")

    assert extracted(path) == extracted(path)


def test_each_block_is_where_its_span_says_in_the_mmd(tmp_path: Path) -> None:
    path = paper(tmp_path / "paper.pdf")
    mmd = extracted(path).mmd

    for block in blocks_of(path):
        rendered = mmd[block.start : block.end]
        assert rendered.strip() == rendered
        assert block.text.split()[-1] in rendered


def test_a_left_column_is_read_before_the_right_one(tmp_path: Path) -> None:
    headings = [block.text for block in blocks_of(paper(tmp_path / "paper.pdf")) if block.kind == "heading"]

    assert headings[1:] == [f"{number} Section {letter}" for number, letter in zip(range(1, 7), "abcdef", strict=True)]


def test_headings_have_levels_by_size_and_the_title_is_the_first(tmp_path: Path) -> None:
    levels = [block.level for block in blocks_of(paper(tmp_path / "paper.pdf")) if block.kind == "heading"]

    assert levels == [1] + [2] * 6


def test_numbering_decides_the_level_of_headings_of_one_size(tmp_path: Path) -> None:
    def draw(canvas) -> None:  # type: ignore[no-untyped-def]
        y = HEIGHT - 80
        for title in ("1 Waves", "1.1 Long waves", "1.2 Short waves", "2 Tides", "2.1 Spring tides"):
            y = flow(canvas, PROSE, 60, heading(canvas, title, 60, y, 13), 450)

    found = [block for block in blocks_of(typeset(tmp_path / "levels.pdf", draw)) if block.kind == "heading"]

    assert [block.level - found[0].level for block in found] == [0, 1, 1, 0, 1]


def test_a_paragraph_is_one_block_over_all_its_lines(tmp_path: Path) -> None:
    path = typeset(tmp_path / "one.pdf", lambda canvas: flow(canvas, PROSE, 60, 700, 300) and None)

    (block,) = blocks_of(path)

    assert block.kind == "paragraph"
    assert block.text == PROSE
    assert len(block.lines) > 3


def test_running_headers_and_page_numbers_stay_and_are_tagged(tmp_path: Path) -> None:
    for number, page in enumerate(pages_of(paper(tmp_path / "paper.pdf")), 1):
        kinds = {block.text: block.kind for block in page.blocks}
        assert kinds["Proceedings of the Harbour Society"] == "header"
        assert kinds[str(number)] == "page_number"


def test_list_items_are_items_and_rows_are_a_table(tmp_path: Path) -> None:
    blocks = blocks_of(paper(tmp_path / "paper.pdf"))

    assert [block.text for block in blocks if block.kind == "list"] == [
        "• the float and its well", "• the drum with its paper", "• the pen",
    ]  # fmt: skip
    (table,) = [block for block in blocks if block.kind == "table"]
    assert table.text.splitlines()[2] == "| Long Pier | 7.38 | 14 |"


def test_boxes_have_their_origin_at_the_top_left(tmp_path: Path) -> None:
    first, second = (block for block in pages_of(paper(tmp_path / "paper.pdf"))[0].blocks[:2])

    assert first.box is not None and second.box is not None
    assert first.box[1] < first.box[3] < second.box[1]
    assert 30 < first.box[1] < 45


UPRIGHT = {0: b"1 0 0 1 72 700", 90: b"0 1 -1 0 92 72", 180: b"-1 0 0 -1 540 92", 270: b"0 -1 1 0 520 720"}


@pytest.mark.parametrize("turn", UPRIGHT)
def test_a_page_that_is_shown_turned_has_boxes_as_it_is_seen(tmp_path: Path, turn: int) -> None:
    text = b"BT /F 12 Tf %b Tm (A line near the top of the sheet.) Tj ET" % UPRIGHT[turn]
    path = by_hand(tmp_path / "turned.pdf", text, page=f"/MediaBox[0 0 612 792]/Rotate {turn}")

    (page,) = pages_of(path)
    (block,) = page.blocks

    assert (page.width, page.height) == ((612, 792) if turn in (0, 180) else (792, 612))
    assert block.box is not None
    left, top, right, bottom = block.box
    assert left == pytest.approx(72, abs=2) and 70 < top < bottom < 100
    assert right - left > 10 * (bottom - top)


def test_font_size_is_that_on_the_page_whatever_the_matrix(tmp_path: Path) -> None:
    text = b"BT /F 1 Tf 12 0 0 12 72 700 Tm (Set by a matrix, as many tools do.) Tj ET"

    (block,) = blocks_of(by_hand(tmp_path / "matrix.pdf", text))

    assert block.lines[0].font_size == 12


def test_torn_words_are_mended_and_compounds_keep_their_hyphen() -> None:
    words = vocabulary(["it is a comma separated list", "the level of all information here"])

    assert joined("all the infor-", "mation there is", words) == "all the information there is"
    assert joined("a comma-", "separated value", words) == "a comma-separated value"
    assert joined("they under-", "stand it", words) == "they understand it"
    assert joined("no hyphen", "here", words) == "no hyphen here"


def test_markup_in_a_document_does_not_become_markup_of_the_mmd(tmp_path: Path) -> None:
    def draw(canvas) -> None:  # type: ignore[no-untyped-def]
        for number, line in enumerate(("# not a heading at all, only a line", "``` not a fence of code either, a line")):
            flow(canvas, line, 60, 700 - 100 * number, 400)

    mmd = extracted(typeset(tmp_path / "markup.pdf", draw)).mmd

    assert mmd.startswith("\\# not")
    assert "\n\\``` not" in mmd


def test_a_page_without_words_has_no_blocks() -> None:
    assert read_page(RawPage(1, 612, 792, ()), survey([])).blocks == ()


def test_words_on_top_of_each_other_do_not_stop_it() -> None:
    words = tuple(Word("x", 10, 10, 10, 10, 10, 0.0, starts_line=True) for _ in range(50))
    raw = RawPage(1, 612, 792, words)

    assert read_page(raw, survey([raw])).number == 1


def test_the_style_of_a_long_document_is_learned_from_pages_spread_over_it(tmp_path: Path) -> None:
    path = paper(tmp_path / "long.pdf", pages=3, copies=20)

    assert [page.number for page in pages_of(path)] == list(range(1, 61))


def test_a_page_that_cannot_be_read_keeps_its_number_and_says_why(tmp_path: Path) -> None:
    text = b"BT /F 12 Tf 72 700 Td (The first page is sound.) Tj ET"

    first, second = pages_of(by_hand(tmp_path / "half.pdf", text, kids="[3 0 R 9 0 R]/Count 2"))

    assert (first.failure, first.blocks[0].text) == (None, "The first page is sound.")
    assert (second.number, second.blocks) == (2, ())
    assert second.failure


@pytest.mark.parametrize("mark", ["\u2022", "\uf0b7", "\u0088"])
def test_a_mark_of_a_symbol_font_begins_an_item(mark: str) -> None:
    rows = [f"{mark} the float and its well", f"{mark} the drum with its paper"]
    words = tuple(
        Word(text, 60 + 30 * i, 100 + 14 * row, 85 + 30 * i, 110 + 14 * row, 108 + 14 * row, 10, starts_line=i == 0)
        for row, line in enumerate(rows)
        for i, text in enumerate(line.split(" "))
    )
    raw = RawPage(1, 612, 792, words)

    assert [block.kind for block in read_page(raw, survey([raw])).blocks] == ["list", "list"]


def test_initials_of_authors_are_no_section(tmp_path: Path) -> None:
    def draw(canvas) -> None:  # type: ignore[no-untyped-def]
        y = heading(canvas, "The Reading of Tides", 60, 760, 20)
        y = heading(canvas, "S. K. Lindqvist and T. Achterberg", 60, y, 13)
        y = heading(canvas, "Summary", 60, y, 15)
        flow(canvas, PROSE, 60, y, 400)

    found = [block.text for block in blocks_of(typeset(tmp_path / "front.pdf", draw)) if block.kind == "heading"]

    assert found == ["The Reading of Tides", "Summary"]

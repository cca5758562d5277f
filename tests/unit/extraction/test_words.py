"""From characters to words: ligatures, hyphens, letters set apart, sideways and right-to-left text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.extraction.local import Extracted, extract_file
from services.extraction.stages.direction import in_reading_order
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.hyphens import joined, vocabulary
from services.extraction.stages.letterspacing import with_letters_joined
from services.extraction.stages.ligatures import lost_ligature, may_lack_ligatures
from services.extraction.stages.style import survey
from services.extraction.stages.text_layer import read_page
from services.extraction.stages.words import Rule, Word
from shared.contracts.documents import Page
from tests.unit.extraction.pdfs import by_hand

WIDTHS = {"i": 0.25, "l": 0.25, "f": 0.33, "h": 0.5}


@pytest.mark.parametrize(
    ("letter", "width", "whole"),
    [("i", 0.52, "fi"), ("i", 0.82, "ffi"), ("l", 0.53, "fl"), ("f", 0.61, "ff"), ("i", 0.26, None)],
)
def test_a_glyph_too_wide_for_its_letter_is_a_ligature(letter: str, width: float, whole: str | None) -> None:
    assert lost_ligature(letter, width, WIDTHS) == whole


def test_a_font_that_has_ligatures_is_not_doubted() -> None:
    assert may_lack_ligatures(["inal", "report"])
    assert not may_lack_ligatures(["final", "report"])


@pytest.mark.parametrize(
    ("above", "below", "whole"),
    [
        ("a Spanish-", "speaking town", "a Spanish-speaking town"),
        ("help as-", "needed only", "help as-needed only"),
        ("a near-", "universally held view", "a near-universally held view"),
        ("North-", "American birds", "North-American birds"),
        ("the COVID-", "19 years", "the COVID-19 years"),
        ("see https:", "//tides.example/a", "see https://tides.example/a"),
        ("the years 2013–", "2017", "the years 2013–2017"),
        ("all the infor-", "mation", "all the information"),
        ("the near-", "est pier", "the nearest pier"),
    ],
)
def test_words_at_line_ends_are_made_whole_and_compounds_kept(above: str, below: str, whole: str) -> None:
    assert joined(above, below, frozenset()) == whole


def test_what_the_document_writes_elsewhere_decides() -> None:
    words = vocabulary(["an online e-mail list is kept", "all reenter it there"])

    assert joined("the e-", "mail", words) == "the e-mail"
    assert joined("to re-", "enter", words) == "to reenter"


def letters(text: str, pitch: float, left: float = 0.0) -> list[Word]:
    """Single letters on a grid, blanks left out."""
    return [Word(letter, left + i * pitch, 0, left + i * pitch + 3, 8, 7, 7) for i, letter in enumerate(text) if letter != " "]


def test_characters_on_a_grid_are_code() -> None:
    words = with_letters_joined(letters("x = min(a, b)", 4.2))

    assert [word.text for word in words] == ["x", "=", "min(a,", "b)"]
    assert all(word.mono for word in words)


def test_single_figures_far_apart_stay_cells() -> None:
    row = letters("1 2 3 4 5 6 7 8 9", 12)

    assert with_letters_joined(row) is not None
    assert [word.text for word in with_letters_joined(row)] == [word.text for word in row]


def pages_of(path: Path) -> list[Page]:
    found = extract_file(path)
    assert isinstance(found, Extracted)
    return [Page.model_validate_json(line) for line in found.pages.splitlines()]


@pytest.mark.parametrize("turn", ["0 1 -1 0 300 200", "0 -1 1 0 300 700"])
def test_sideways_text_is_read_after_the_rest_and_its_box_is_where_it_stands(tmp_path: Path, turn: str) -> None:
    text = b"BT /F 12 Tf 72 700 Td (An upright line of text that is longer.) Tj ET BT /F 12 Tf %b Tm (Along the margin) Tj ET"

    (page,) = pages_of(by_hand(tmp_path / "turned.pdf", text % turn.encode()))

    assert [block.text for block in page.blocks] == ["An upright line of text that is longer.", "Along the margin"]
    left, top, right, bottom = page.blocks[1].box or (0, 0, 0, 0)
    assert bottom - top > 4 * (right - left)
    assert 280 < left < right < 320


def test_a_line_of_a_right_to_left_script_is_read_from_the_right() -> None:
    line = [Word(text, x, 0, x + 20, 10, 8, 10) for x, text in ((0, "שלישי"), (25, "in"), (50, "English"), (80, "ראשון"))]

    assert [word.text for word in in_reading_order(line)] == ["ראשון", "in", "English", "שלישי"]


numbers = st.floats(-50, 900, allow_nan=False, width=32)
anywhere = st.builds(
    lambda text, left, top, size, bold, mono, math, turn: Word(
        text, left, top, left + 0.5 * size * len(text), top + size, top + 0.8 * size, size, bold, mono, math=math, turn=turn
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12),
    numbers, numbers, st.floats(0, 40, width=32), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from((0, 0, 0, 90, 270)),
)  # fmt: skip
lines = st.builds(
    lambda x, y, length, flat: Rule(x, y, x + length, y) if flat else Rule(x, y, x, y + length),
    numbers, numbers, st.floats(1, 600, width=32), st.booleans(),
)  # fmt: skip


@given(st.lists(anywhere, max_size=60), st.lists(lines, max_size=20))
def test_no_page_stops_it(words: list[Word], rules: list[Rule]) -> None:
    raw = RawPage(1, 612, 792, tuple(words), tuple(rules))

    page = read_page(raw, survey([raw]))

    assert all(block.text for block in page.blocks)


prose = st.lists(
    st.tuples(st.text("abcdefghij", min_size=1, max_size=9), st.integers(0, 9), st.integers(0, 30)),
    max_size=80, unique_by=lambda one: (one[1], one[2]),
)  # fmt: skip


@given(prose, st.lists(lines, max_size=12))
def test_no_letter_of_a_page_is_lost_whatever_is_taken_for_a_table(
    cells: list[tuple[str, int, int]], rules: list[Rule]
) -> None:
    words = tuple(
        Word(text, 60 * x, 100 + 15 * y, 60 * x + 5 * len(text), 110 + 15 * y, 108 + 15 * y, 10, starts_line=x == 0)
        for text, x, y in sorted(cells, key=lambda one: (one[2], one[1]))
    )
    raw = RawPage(1, 612, 792, words, tuple(rules))

    page = read_page(raw, survey([raw]))

    found = sorted(letter for block in page.blocks for line in block.lines for letter in line.text if letter.isalpha())
    assert found == sorted(letter for word in words for letter in word.text)

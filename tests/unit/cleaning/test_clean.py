"""What cleaning keeps, what it drops, what it sets aside, and that it can account for every character."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.local import Cleaned, clean_mmd
from services.cleaning.stages.page_lines import lines_of
from shared.contracts.documents import Block, BlockKind, CleaningParameters, GarbageItem, Page
from tests.unit.cleaning.texts import LETTER, PROSE, block, page


def cleaned(*pages: Page, **parameters: object) -> Cleaned:
    return clean_mmd("", pages, CleaningParameters.model_validate({"tagger": "rules", **parameters}))


def kept(*pages: Page, **parameters: object) -> list[str]:
    return [piece.text for piece in cleaned(*pages, **parameters).pieces]


def garbage_of(*blocks: Block) -> GarbageItem:
    (item,) = cleaned(page(*blocks)).garbage
    return item


def test_what_extraction_tagged_as_running_is_dropped_by_kind() -> None:
    result = cleaned(page(block("The Journal", "header"), block(PROSE), block("12", "page_number"), block("vol. 3", "footer")))

    assert [piece.text for piece in result.pieces] == [PROSE]
    assert result.ledger.dropped == {"header": 11, "page_number": 2, "footer": 6}


def test_untagged_margin_lines_that_recur_are_headers_and_footers() -> None:
    pages = [
        page(block(f"Journal of Tides, {n}", top=20), block(PROSE), block(f"- {n} -", top=800), number=n) for n in range(1, 6)
    ]

    result = cleaned(*pages)

    assert {piece.text for piece in result.pieces} == {PROSE}
    assert set(result.ledger.dropped) == {"header", "page_number"}


def test_a_margin_line_that_does_not_recur_stays() -> None:
    pages = [page(block(PROSE), number=n) for n in range(1, 6)]
    pages[2] = page(block("A sentence that happens to stand high on a page.", top=20), number=3)

    assert "A sentence that happens to stand high on a page." in kept(*pages)


def test_the_list_of_references_is_dropped_and_what_follows_it_stays() -> None:
    blocks = [
        block("1 Gauges", "heading", 1), block(PROSE),
        block("References", "heading", 1), block("Sorley, I. (1868). The breathing of the bay. Halden."),
        block("Appendix", "heading", 1), block(PROSE),
    ]  # fmt: skip

    assert kept(page(*blocks)) == ["1 Gauges", PROSE, "Appendix", PROSE]
    assert "References" in kept(page(*blocks), drop_references=False)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Tides rise [1, 2]. They fall [3].", "Tides rise. They fall."),
        ("Waves are long [4, Sec. 2] and slow.", "Waves are long and slow."),
        ("This follows [7], as shown in [8].", "This follows [7], as shown in [8]."),
        ("Let x lie in [1, 2] or [0, 1].", "Let x lie in [1, 2] or [0, 1]."),
        ("Read the value A[3] first.", "Read the value A[3] first."),
        ("Gauges drift (Hadi et al., 2030; Voss & Brandt, 2029a).", "Gauges drift."),
        ("The year (1931) was cold, and Hadi (2030) says so.", "The year (1931) was cold, and Hadi (2030) says so."),
        (
            "It holds (see Table 2) and (in the winter of 1931) it did.",
            "It holds (see Table 2) and (in the winter of 1931) it did.",
        ),
    ],
)
def test_citation_markers_go_and_words_of_the_sentence_stay(text: str, left: str) -> None:
    habit = "As known [1]. Also [2]. Even so [3]. Known (Sorley, 1868). So (Voss, 1999). And (Hadi and Voss, 2001)."
    blocks = [block(habit), block(text), block("References", "heading", 1)]

    assert kept(page(*blocks), min_words=0, min_fragment_words=0)[1] == left


def test_brackets_are_no_citations_where_nothing_is_cited() -> None:
    text = "The list holds [1], [2], [3] and (Paris, 2015) and that is all of it."

    assert kept(page(block(text))) == [text]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("The ﬁrst ﬂood of the oﬃce was small.", "The first flood of the office was small."),
        ("A mea-\nsurement is made once and once only.", "A measurement is made once and once only."),
        ("A hid\u00adden hy\u00ad\nphen is in here somewhere.", "A hidden hyphen is in here somewhere."),
        ("Ten m² of x³ are not m2 of x3 here.", "Ten m² of x³ are not m2 of x3 here."),
        ("An in\u200bvisible\ufeff space and a\x00 null\x07 byte.", "An invisible space and a null byte."),
        ("Left \u202eto right\u202c and back again, it says.", "Left to right and back again, it says."),
        ("Too   many    spaces\nand a new line in it.", "Too many spaces and a new line in it."),
    ],
)
def test_text_is_mended_without_changing_what_it_says(text: str, mended: str) -> None:
    assert kept(page(block(text))) == [mended]


def test_joiners_stay_between_the_letters_that_need_them() -> None:
    persian = "می\u200cخواهم این جمله را بنویسم و بخوانم"

    assert kept(page(block(persian))) == [persian]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("∑ = ∫ 12 ⊗ 34 ≤ 56 ∞ a b c d e f", "symbol-noise"),
        ("Yes.", "too-short"),
        ("Level in metres", "fragment"),
        ("the sea is cold and wide and " * 12, "repetition"),
        ("The \ufffd\ufffd\ufffd of the \ue000\ue001 was (cid:12) damaged here.", "encoding-damage"),
        ("1 Gauges . . . . . . . . . . . . . . . . . . . . . . . . 3", "table-of-contents"),
        ("t h i s i s s p a c e d o u t l e t t e r b y l e t t e r", "spaced-letters"),
    ],
)
def test_garbage_says_why_it_was_set_aside(text: str, reason: str) -> None:
    item = garbage_of(block(text))

    assert item.reason == reason
    assert item.score != item.threshold
    assert (item.page, item.box) == (1, (60.0, 300.0, 500.0, 320.0))


def test_a_table_of_figures_is_noise_and_a_table_of_words_is_not() -> None:
    figures = "| 1996 | 51,544 |\n| --- | --- |\n| 1997 | 52,071 |"
    words = "| Place | Warden |\n| --- | --- |\n| Long Pier | Aino Brandt |"

    result = cleaned(page(block(figures, "table"), block(words, "table")))

    assert [item.reason for item in result.garbage] == ["symbol-noise"]
    assert [piece.text for piece in result.pieces] == [words]


def test_titles_addresses_and_licences_are_boilerplate() -> None:
    blocks = [
        block("Tides of the Northern Pier", "heading", 1),
        block("Yusra Hadi1, Piet Lindqvist2"), block("1Department of Tides, University of Halden"),
        block("Received 4 May 2030"), block("Summary", "heading", 2), block(PROSE),
        block("This work is licensed under a Creative Commons Attribution 4.0 licence."),
        block("Keywords", "heading", 2), block("tides, gauges, piers"),
    ]  # fmt: skip

    result = cleaned(page(*blocks))

    assert [piece.text for piece in result.pieces] == ["Tides of the Northern Pier", "Summary", PROSE]
    assert result.title == "Tides of the Northern Pier"


def test_a_document_without_sections_keeps_its_short_lines_after_the_text_has_begun() -> None:
    blocks = [block("A Letter", "heading", 1), block(f"{PROSE} {LETTER}"), block("I remain, as ever, yours most truly,")]

    assert kept(page(*blocks))[2] == "I remain, as ever, yours most truly,"


def test_pieces_know_their_section_and_where_they_stand_in_the_clean_text() -> None:
    blocks = [
        block("Tides", "heading", 1), block("1 Gauges", "heading", 2), block(PROSE), block("1.1 Floats", "heading", 3),
        block(PROSE), block("• an item that is long enough", "list"), block("2 Ends", "heading", 2), block(PROSE),
    ]  # fmt: skip

    result = cleaned(page(*blocks))

    assert all(result.mmd[piece.start : piece.end] == piece.text for piece in result.pieces)
    assert [piece.section for piece in result.pieces if piece.kind == "paragraph"] == [
        ("1 Gauges",), ("1 Gauges", "1.1 Floats"), ("2 Ends",),
    ]  # fmt: skip
    assert "\n\n## 1 Gauges\n\n" in result.mmd
    assert "\n\n- an item" in result.mmd


def test_each_line_says_what_it_is_and_what_became_of_it() -> None:
    blocks = [block("The Journal", "header"), block("Two lines\nof a note.", "footnote"), block("0 1 2 3 4 5 6 7", "table")]

    lines = cleaned(page(*blocks)).lines

    assert [(one.block, one.line, one.text, one.label, one.fate, one.reason) for one in lines] == [
        (0, 0, "The Journal", "header", "dropped", "header"),
        (1, 0, "Two lines", "footnote", "kept", ""),
        (1, 1, "of a note.", "footnote", "kept", ""),
        (2, 0, "0 1 2 3 4 5 6 7", "table", "set-aside", "symbol-noise"),
    ]


@pytest.mark.parametrize(
    ("setting", "kind"),
    [("drop_captions", "caption"), ("drop_tables", "table"), ("drop_equations", "formula"), ("drop_footnotes", "footnote")],
)
def test_what_is_no_running_text_leaves_where_that_is_wished(setting: str, kind: BlockKind) -> None:
    blocks = [block(PROSE), block("Four words stand here.", kind)]

    assert len(kept(page(*blocks))) == 2
    assert kept(page(*blocks), **{setting: True}) == [PROSE]


KINDS: tuple[BlockKind, ...] = ("heading", "paragraph", "list", "table", "code", "formula", "caption", "footnote", "header")
hostile = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)
prose = st.lists(
    st.sampled_from([*PROSE.split(), "References", "[1]", "(Hadi, 2030)", "ﬁ", "\u200b", "12", "-\n"]), max_size=40
)
texts = st.one_of(hostile, prose.map(" ".join))


@given(st.lists(st.tuples(texts, st.sampled_from(KINDS), st.integers(0, 6), st.floats(0, 842)), max_size=12))
def test_every_character_and_every_line_is_kept_dropped_or_set_aside(found: list[tuple[str, BlockKind, int, float]]) -> None:
    blocks = [block(text, kind, level, top) for text, kind, level, top in found]

    result = cleaned(page(*blocks[:6]), page(*blocks[6:], number=2))

    ledger = result.ledger
    assert ledger.read == sum(len(one.text) for one in blocks)
    assert ledger.read == ledger.kept + ledger.dropped.total() + ledger.garbage_characters
    assert min([*ledger.dropped.values(), ledger.kept, ledger.garbage_characters]) >= 0
    assert ledger.garbage_items.total() == len(result.garbage)
    assert ledger.lines_read == ledger.lines.total() == len(result.lines) == sum(len(lines_of(one)) for one in blocks)
    assert Counter(line.fate for line in result.lines) == +ledger.lines
    assert all((line.reason == "") == (line.fate == "kept") for line in result.lines)
    assert all(result.mmd[piece.start : piece.end] == piece.text for piece in result.pieces)


def test_a_long_line_without_spaces_does_not_take_long() -> None:
    for unit in ("a", "[1", "(A ", ". ", "-", " ", "1,", "\u00ad", "\n"):
        cleaned(page(block(unit * 200_000)))

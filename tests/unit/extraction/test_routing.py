"""Each page goes to the engine that reads it best, and says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.extraction.stages.glyphs import RawPage, Word
from services.extraction.stages.routing import (
    NOUGAT,
    TESSERACT,
    TEXT_LAYER,
    Marks,
    Verdict,
    has_little_text,
    judge,
    route,
    without_labels,
)
from shared.contracts.documents import Engine
from tests.unit.extraction.pdfs import PROSE

SCANNED = Marks(picture_share=0.98, pictures=1)
BOTH = (NOUGAT, TESSERACT)


def page(text: str) -> RawPage:
    words = tuple(Word(one, 10, 10, 20, 20, 18, 10.0) for one in text.split())
    return RawPage(1, 612, 792, words)


def test_prose_is_trusted() -> None:
    verdict = judge(page(PROSE), None)

    assert (verdict.sound, verdict.confidence) == (True, 1.0)
    assert route(verdict, "auto", BOTH).engines == (TEXT_LAYER,)


def test_a_page_covered_by_a_picture_with_little_text_is_a_scan() -> None:
    stamped = page("Scanned 12 March")

    assert has_little_text(stamped) and not judge(stamped, SCANNED).sound
    assert judge(stamped, Marks(picture_share=0.2, pictures=3)).sound


def test_a_scan_that_has_been_through_ocr_keeps_its_text_layer() -> None:
    assert not has_little_text(page(PROSE * 3))


def test_a_page_with_nothing_on_it_is_left_in_peace() -> None:
    assert judge(page(""), Marks()).why == "the page is empty"
    assert judge(page(""), Marks(paths=3)).sound


def test_text_drawn_as_paths_is_no_text_layer() -> None:
    assert not judge(page(""), Marks(paths=900)).sound


@pytest.mark.parametrize("char", ["\ufffd", "\ue012", "\x03", "\U000f0012"])
def test_characters_that_cannot_be_decoded_condemn_a_text_layer(char: str) -> None:
    verdict = judge(page(PROSE + f" {char * 5}" * 20), None)

    assert not verdict.sound and verdict.confidence < 0.8 and "cannot be decoded" in verdict.why


def test_a_figure_with_labels_that_cannot_be_decoded_does_not_condemn_a_page_of_prose() -> None:
    assert judge(page(PROSE * 6 + " \x03\x04" * 120), None).sound
    assert not judge(page(PROSE * 6 + " \x03\x04" * 900), None).sound


def test_the_labels_of_charts_that_cannot_be_decoded_do_not_condemn_a_page_of_captions() -> None:
    captions = tuple(Word(one, 10, 700, 20, 710, 708, 10.0, starts_line=i == 0) for i, one in enumerate(PROSE.split()))
    labels = tuple(Word("\x03\x04", 100 + 3 * i, 200, 103 + 3 * i, 206, 205, 6.0, starts_line=True) for i in range(60))
    chart = ((100.0, 100.0, 300.0, 190.0),)

    charted = RawPage(1, 612, 792, captions + labels, curves=chart)
    assert judge(charted, None).sound and judge(charted, None).labels
    assert without_labels(charted).words == captions
    assert not judge(RawPage(1, 612, 792, captions + labels), None).sound
    assert not judge(RawPage(1, 612, 792, labels, curves=chart), None).sound


def test_letters_that_spell_nothing_condemn_a_text_layer() -> None:
    shifted = "".join(chr(ord(char) - 29) if char.isalpha() else char for char in PROSE)

    assert not judge(page(shifted), None).sound


@pytest.mark.parametrize(
    "text",
    [
        "Der Pegel am nördlichen Pier wird seit dem Winter jeden Morgen abgelesen und aufgeschrieben von Hand " * 5,
        "Strč prst skrz krk: vlk zmrzl, vrh drn. Pegel na severním molu se čte každé ráno od zimy roku 1931. " * 5,
        "潮位計は北の桟橋にあり、毎朝読み取られる。" * 20,
        "مقياس المد على الرصيف الشمالي يقرأ كل صباح " * 12,
        "1.20 3.40 5.61 7.38 14 6.91 9 7.02 " * 40,
        "TCP HTTP DNS SSH " * 4,
    ],
)
def test_other_languages_and_figures_are_trusted(text: str) -> None:
    assert judge(page(text), None).sound


def test_formulas_go_to_nougat_where_it_is_there() -> None:
    verdict = judge(page("where ∑ αβ ≤ ∫ γδ and so on θ " * 10), None)

    assert route(verdict, "auto", BOTH).engines == (NOUGAT, TEXT_LAYER)
    assert route(verdict, "auto", (TESSERACT,)).engines == (TEXT_LAYER,)


@given(
    st.builds(Verdict, st.booleans(), st.text(min_size=1), st.floats(0, 1), st.booleans()),
    st.sampled_from(["auto", "text-layer", "ocr", "nougat"]),
    st.sampled_from([(), (TESSERACT,), (NOUGAT,), BOTH]),
)
def test_every_route_ends_at_the_text_layer_and_names_only_engines_that_are_there(
    verdict: Verdict, wanted: Engine, there: tuple[object, ...]
) -> None:
    chosen = route(verdict, wanted, there)  # type: ignore[arg-type]

    assert chosen.engines[-1] == TEXT_LAYER and chosen.why
    assert set(chosen.engines[:-1]) <= set(there)
    assert len(set(chosen.engines)) == len(chosen.engines)

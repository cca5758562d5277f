"""Chunks: whole sentences, to a budget, along the structure, and each knows where it stands."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cleaning.stages.chunk import chunks
from services.cleaning.stages.sentences import sentence_spans
from shared.contracts.documents import Chunk, ChunkingParameters, Piece
from tests.unit.cleaning.texts import PROSE, SENTENCES, piece, words

DOCUMENT = "d" * 64


def cut(*pieces: Piece, tokens: int = 32, overlap: int = 1) -> list[Chunk]:
    return list(chunks(DOCUMENT, pieces, ChunkingParameters(max_tokens=tokens, overlap_sentences=overlap), words))


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def test_sentences_end_where_readers_see_them_end() -> None:
    text = "See Fig. 2 of Hadi et al. for this. It rose by 3.5 m, e.g. in May. Why? The put! call waits. Dr. Voss left."

    assert sentences(text) == [
        "See Fig. 2 of Hadi et al. for this.", "It rose by 3.5 m, e.g. in May.", "Why?", "The put! call waits.",
        "Dr. Voss left.",
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_sentences_hold_all_that_is_not_space(text: str) -> None:
    spans = sentence_spans(text)

    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_no_chunk_ends_within_a_sentence() -> None:
    for chunk in cut(piece(PROSE)):
        assert all(sentence in SENTENCES for sentence in sentences(chunk.text))


def test_chunks_keep_to_the_budget_and_share_the_sentences_asked_for() -> None:
    found = cut(piece(PROSE), tokens=32, overlap=1)

    assert len(found) > 1
    assert all(chunk.tokens == words(chunk.text) <= 32 for chunk in found)
    for one, other in pairwise(found):
        assert sentences(other.text)[0] == sentences(one.text)[-1]


def test_a_sentence_longer_than_the_budget_is_a_chunk_by_itself() -> None:
    long = "This sentence " + "goes on and on and " * 20 + "ends."

    found = cut(piece(f"{SENTENCES[0]} {long} {SENTENCES[1]}"))

    assert [chunk.text for chunk in found] == [SENTENCES[0], long, SENTENCES[1]]
    assert [chunk.tokens > 32 for chunk in found] == [False, True, False]


def test_a_heading_is_never_alone_in_a_chunk() -> None:
    pieces = [piece("Gauges", "heading"), piece("Floats", "heading", ("Gauges", "Floats")), piece(PROSE, section=("Ends",))]

    assert all("Gauges" not in chunk.text for chunk in cut(*pieces))
    assert cut(pieces[0], pieces[1]) == []


def test_a_new_section_begins_a_new_chunk_and_shares_nothing() -> None:
    found = cut(piece(PROSE, section=("A",)), piece(PROSE, section=("B",)), tokens=256)

    assert [chunk.section for chunk in found] == [("A",), ("B",)]
    assert [chunk.text for chunk in found] == [PROSE, PROSE]


def test_a_tiny_section_goes_on_with_the_next() -> None:
    (found,) = cut(piece("We thank them all.", section=("A",)), piece(PROSE, section=("B",)), tokens=256)

    assert found.section == ("B",)
    assert found.text == f"We thank them all.\n\n{PROSE}"


def test_spans_say_which_characters_come_from_which_page_and_box() -> None:
    (found,) = cut(piece(SENTENCES[0]), piece(SENTENCES[1], number=2, top=100), tokens=256)

    first, second = found.spans
    assert (found.text[first.start : first.end], first.page) == (SENTENCES[0], 1)
    assert (found.text[second.start : second.end], second.page, second.box) == (SENTENCES[1], 2, (60.0, 100.0, 500.0, 120.0))
    assert found.pages == (1, 2)


def test_a_paragraph_goes_on_over_a_page_break() -> None:
    (found,) = cut(piece("The gauge is read each", top=780), piece("morning. It rains.", number=2, top=60), tokens=256)

    assert found.text == "The gauge is read each morning. It rains."
    assert [(span.page, found.text[span.start : span.end]) for span in found.spans] == [
        (1, "The gauge is read each"), (2, "morning. It rains."),
    ]  # fmt: skip


def test_a_word_torn_by_a_page_break_is_mended() -> None:
    (found,) = cut(piece("A good mea-", top=780), piece("surement is rare.", number=2, top=60), tokens=256)

    assert found.text == "A good measurement is rare."


def test_a_caption_between_the_halves_of_a_paragraph_comes_after_it() -> None:
    (found,) = cut(
        piece("The gauge is read each", top=780), piece("Figure 1. A gauge.", "caption", top=800),
        piece("morning.", number=2, top=60), tokens=256,
    )  # fmt: skip

    assert found.text == "The gauge is read each morning.\n\nFigure 1. A gauge."


def test_paragraphs_that_end_or_begin_as_such_are_not_joined() -> None:
    (found,) = cut(piece("It was read.", top=780), piece("so it seems to be here.", number=2, top=60), tokens=256)

    assert "\n\n" in found.text


def test_tables_are_cut_between_rows() -> None:
    rows = [f"| place number {n} | warden number {n} |" for n in range(40)]

    found = cut(piece("\n".join(rows), "table"), overlap=0)

    assert len(found) > 1
    assert [row for chunk in found for row in chunk.text.split("\n")] == rows


def test_ids_and_indices_are_the_same_each_time() -> None:
    assert cut(piece(PROSE)) == cut(piece(PROSE))
    assert [chunk.index for chunk in cut(piece(PROSE))] == list(range(len(cut(piece(PROSE)))))


kinds = st.sampled_from(["paragraph", "heading", "list", "table", "caption", "code"])
runs = st.lists(st.sampled_from([*SENTENCES, "and so on", "a half sentence that goes on-", "x " * 60]), min_size=1, max_size=6)
stories = st.lists(st.tuples(runs.map(" ".join), kinds, st.sampled_from("ABC"), st.integers(1, 4)), max_size=12)


@settings(max_examples=60)
@given(stories, st.integers(32, 80), st.integers(0, 3))
def test_nothing_is_lost_and_the_budget_holds(story: list[tuple[str, str, str, int]], tokens: int, overlap: int) -> None:
    pieces = [piece(text, kind, (section,), number) for text, kind, section, number in story]  # type: ignore[arg-type]

    found = cut(*pieces, tokens=tokens, overlap=overlap)

    lines = {text for text, kind, _, _ in story if kind in ("table", "code")}
    told = " ".join(chunk.text for chunk in found)
    for text, kind, _, _ in story:
        if kind != "heading":
            assert all(word in told for word in text.replace("-", " ").split())
    for chunk in found:
        assert chunk.tokens == words(chunk.text)
        assert chunk.tokens <= tokens or chunk.text in lines or len(sentences(chunk.text)) == 1
        assert all(0 <= span.start < span.end <= len(chunk.text) for span in chunk.spans)
        assert sum(span.end - span.start for span in chunk.spans) <= len(chunk.text)


def table(rows: int) -> str:
    return "| place | level |\n| --- | --- |\n" + "\n".join(
        f"| gauge number {n} of the bay | {n} metres above |" for n in range(rows)
    )


def test_the_head_of_a_table_is_said_again_in_each_chunk_of_it() -> None:
    found = cut(piece(table(12), "table"), tokens=48)

    assert len(found) > 2
    assert all(chunk.text.startswith("| place | level |\n| --- | --- |\n| gauge number") for chunk in found)
    assert all(chunk.tokens <= 48 for chunk in found)
    told = [chunk.text[span.start : span.end] for chunk in found for span in chunk.spans]
    assert all(text in table(12) for text in told)
    assert "".join("".join(told).split()).count("gaugenumber") == 12


def test_a_table_of_markup_is_cut_between_its_rows() -> None:
    rows = "\n".join(f"<tr><td>gauge number {n} of the bay</td><td>{n} metres</td></tr>" for n in range(12))

    found = cut(piece(f"<table>\n<tr><td>place</td><td>level</td></tr>\n{rows}\n</table>", "table"), tokens=40)

    assert len(found) > 2
    assert all(chunk.text.startswith("<table>\n<tr><td>place</td>") for chunk in found)
    assert all(chunk.text.endswith(("</tr>", "</table>")) for chunk in found)


def test_a_formula_is_a_word_of_its_sentence() -> None:
    text = "Let $f(x) = 0. A$ be so and let it stay. We take"

    (found,) = cut(piece(text), piece("\\[ a = b. c \\]", "formula"), piece("where a is small. So it ends."), tokens=256)

    assert sentences(text) == ["Let $f(x) = 0. A$ be so and let it stay.", "We take"]
    assert found.text == f"{text}\n\n\\[ a = b. c \\]\n\nwhere a is small. So it ends."
    assert sentences(found.text)[1:] == ["We take\n\n\\[ a = b. c \\]\n\nwhere a is small.", "So it ends."]


@pytest.mark.parametrize(
    "said",
    [
        ["Das ist z. B. in Abb. 3 zu sehen.", "Dr. Weber kam am 3. Oktober.", "Warum?"],
        ["M. Dupont est arrivé tôt.", "Est-ce vrai ?", "Oui, bien sûr !"],
        ["El Sr. García llegó tarde.", "La Dra. Ruiz no vino.", "¿Por qué?"],
        ["जल स्तर हर सुबह पढ़ा जाता है।", "क्यों?", "कोई नहीं जानता।"],
        ["يُقرأ المنسوب كل صباح.", "لماذا؟", "لا أحد يعلم."],
    ],
)
def test_sentences_end_by_the_rules_of_their_language(said: list[str]) -> None:
    assert sentences(" ".join(said)) == said


def test_flags_of_pieces_are_flags_of_their_chunk() -> None:
    flagged = piece(SENTENCES[0]).model_copy(update={"flags": ("phone",)})

    (found,) = cut(flagged, piece(SENTENCES[1]), tokens=256)

    assert found.flags == ("phone",)

"""The check of chunks finds what is wrong with wrong chunks, and nothing with ours."""

from benchmarks.chunk_check import check
from services.cleaning.local import clean_mmd
from services.cleaning.stages.chunk import chunks
from shared.contracts.documents import Chunk, ChunkingParameters, Span
from tests.unit.cleaning.texts import PROSE, block, page, words

PAGES = (
    page(block("Gauges", "heading", 1), block(PROSE), block("| a | b |\n| --- | --- |\n| c word | d word |", "table", top=500)),
)
PIECES = clean_mmd("", PAGES).pieces
BOX = PIECES[1].box


def made(text: str, page: int = 1) -> list[Chunk]:
    return [
        Chunk(id="0", document="d", index=0, text=text, tokens=1, spans=(Span(page=page, box=BOX, start=0, end=len(text)),))
    ]


def test_our_chunks_break_no_promise() -> None:
    found = list(chunks("d", PIECES, ChunkingParameters(max_tokens=32), words))

    count = check("d", PAGES, PIECES, found, 32, words)

    assert (count.chunks, count.broken) == (len(found), 0)
    assert count.spans >= len(found)


def test_a_cut_sentence_is_seen_at_both_ends() -> None:
    assert check("d", PAGES, PIECES, made(PROSE[:40]), 99, words).cut == 1
    assert check("d", PAGES, PIECES, made(PROSE[10:31]), 99, words).cut == 1
    assert check("d", PAGES, PIECES, made(PROSE[10:40]), 99, words).cut == 2


def test_a_text_that_is_not_on_its_page_is_seen() -> None:
    assert check("d", PAGES, PIECES, made("Nobody wrote this sentence."), 99, words).untraced == 1
    assert check("d", PAGES, PIECES, made(PROSE, page=2), 99, words).untraced == 1


def test_several_sentences_over_the_budget_and_a_heading_alone_are_seen() -> None:
    assert check("d", PAGES, PIECES, made(PROSE), 16, words).over_budget == 1
    assert check("d", PAGES, PIECES, made("Gauges"), 16, words).headings_alone == 1


def test_a_torn_row_is_seen() -> None:
    assert check("d", PAGES, PIECES, made("| c word"), 16, words).torn_rows == 1

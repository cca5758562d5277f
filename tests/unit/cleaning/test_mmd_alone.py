"""MMD without its page map: ours, Nougat's, or any Markdown."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.local import chunk_file, clean_file, clean_mmd
from services.cleaning.stages.mmd_blocks import page_of
from shared.contracts.documents import ChunkingParameters
from tests.unit.cleaning.texts import PROSE, block, page, words

MMD = f"""# The Reading of Tides

<!-- header: Proceedings of the Harbour Society -->

## Gauges
{PROSE}

- the first item of a list
- the second item of a list
  goes on in a second line

```
x = 1

y = 2
```

| Place | Warden |
| --- | --- |
| Long Pier | Aino Brandt |

\\[ E = mc^2 \\]

\\# no heading, but a line that begins so.

<!-- page_number: 12 -->
"""


def test_blocks_have_their_kinds_and_their_spans() -> None:
    found = page_of(MMD).blocks

    assert [one.kind for one in found] == [
        "heading", "header", "heading", "paragraph", "list", "list", "code", "table", "formula", "paragraph", "page_number",
    ]  # fmt: skip
    assert found[3].text == MMD[found[3].start : found[3].end] == PROSE
    assert (found[2].level, found[2].text) == (2, "Gauges")
    assert found[6].text == "x = 1\n\ny = 2"
    assert found[9].text.startswith("# no heading")


def test_tables_in_html_or_latex_are_one_block_whatever_lies_between_their_lines() -> None:
    html = "<table>\n<tr><td>Long\n\n# Pier</td></tr>\n</table>"
    latex = "\\begin{table}\n\\begin{tabular}{l}\na\n\n\\end{tabular}\n\\end{table}"

    found = page_of(f"Before it.\n\n{html}\n\n{latex}\nAfter it, <table> is never closed.").blocks

    assert [(one.kind, one.text) for one in found] == [
        ("paragraph", "Before it."), ("table", html), ("table", latex), ("paragraph", "After it, <table> is never closed."),
    ]  # fmt: skip


@given(st.text(alphabet="#-`|<>!$\\[]() \n\tab1.*~", max_size=120))
def test_any_text_is_read_and_no_span_lies_outside_it(mmd: str) -> None:
    for one in page_of(mmd).blocks:
        assert 0 <= one.start <= one.end <= len(mmd)


def test_all_pieces_of_mmd_alone_are_on_page_one_without_a_box() -> None:
    result = clean_mmd(MMD)

    assert result.title == "The Reading of Tides"
    assert {(piece.page, piece.box) for piece in result.pieces} == {(1, None)}
    assert result.ledger.dropped["header"] > 0


def test_the_page_map_beside_a_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "tides.mmd"
    path.write_text(PROSE)
    (tmp_path / "tides.pages.jsonl").write_text(page(block(PROSE), number=7).model_dump_json() + "\n")

    (piece,) = clean_file(path).pieces

    assert (piece.page, piece.box) == (7, (60.0, 300.0, 500.0, 320.0))


def test_chunks_of_a_file_hold_whole_sentences(tmp_path: Path) -> None:
    path = tmp_path / "tides.mmd"
    path.write_text(MMD)

    found = list(chunk_file(path, ChunkingParameters(max_tokens=32, overlap_sentences=0), words))

    assert found and all(chunk.tokens <= 32 for chunk in found)
    assert found[0].text.startswith("The gauge is read each morning.")

"""Lines get labels one by one, and a block is cut where lines that stay and lines that leave meet."""

from hypothesis import given
from hypothesis import strategies as st

from services.cleaning.stages.page_lines import Tag, lines_of, parts
from shared.contracts.documents import Block, BlockKind, Line, LineLabel
from tests.unit.cleaning.texts import block

LEAVING: frozenset[LineLabel] = frozenset({"header", "footer", "page_number", "citation", "boilerplate"})


def set_in_lines(text: str, *lines: str, kind: BlockKind = "paragraph") -> Block:
    boxes = [(60.0, 300.0 + 12 * n, 500.0, 311.0 + 12 * n) for n in range(len(lines))]
    return Block(
        kind=kind, text=text, box=(60.0, 300.0, 500.0, 400.0), start=7, end=7 + len(text),
        lines=tuple(Line(text=line, box=box, font_size=10.0) for line, box in zip(lines, boxes, strict=True)),
    )  # fmt: skip


def cut(found: Block, *labels: LineLabel) -> list[tuple[str, LineLabel | None]]:
    made = parts(found, lines_of(found), [Tag(label) for label in labels], LEAVING, 0.5)
    return [(part.block.text, part.leaves) for part in made]


def test_a_block_is_cut_where_a_footer_was_taken_for_its_last_line() -> None:
    found = set_in_lines("The gauge is read mornings. Tide Office 12", "The gauge is read morn-", "ings.", "Tide Office 12")

    assert cut(found, "content", "content", "footer") == [("The gauge is read mornings. ", None), ("Tide Office 12", "footer")]


def test_the_parts_know_their_own_lines_boxes_and_places() -> None:
    found = set_in_lines("Page 4 The gauge is read.", "Page 4", "The gauge is read.")

    head, rest = parts(found, lines_of(found), [Tag("page_number"), Tag("content")], LEAVING, 0.5)

    assert (head.first, head.block.start, head.block.box) == (0, 7, (60.0, 300.0, 500.0, 311.0))
    assert (rest.first, rest.block.start, rest.block.box) == (1, 14, (60.0, 312.0, 500.0, 323.0))


def test_text_that_was_changed_when_its_lines_were_joined_goes_the_way_of_most_of_it() -> None:
    found = set_in_lines("The gauge is read.", "T h e  gauge is r3ad.", "12")

    assert cut(found, "content", "page_number") == [("The gauge is read.", None)]


def test_tables_stay_whole() -> None:
    found = set_in_lines("| a | b |\n| --- | --- |\n| c | 12 |", "a b c", "12", kind="table")

    assert cut(found, "table", "page_number") == [(found.text, None)]


def test_a_block_without_lines_has_one_for_each_line_of_its_text() -> None:
    assert [line.text for line in lines_of(block("one\ntwo\n\nfour"))] == ["one", "two", "", "four"]


@given(st.lists(st.text(max_size=12).map(lambda text: text.replace("\n", "")), min_size=1, max_size=8), st.data())
def test_the_parts_of_a_block_are_the_block(texts: list[str], data: st.DataObject) -> None:
    labels = data.draw(
        st.lists(st.sampled_from(["content", "header", "table", "citation"]), min_size=len(texts), max_size=len(texts))
    )
    given_lines = data.draw(st.booleans())
    found = set_in_lines(" ".join(texts), *texts) if given_lines else block("\n".join(texts))
    tags = [Tag(label) for label in labels][: len(lines_of(found))]

    made = list(parts(found, lines_of(found), tags, LEAVING, 0.5))

    assert "".join(part.block.text for part in made) == found.text
    assert [line for part in made for line in part.lines] == list(lines_of(found))


def test_a_line_leaves_only_where_its_label_is_sure() -> None:
    found = set_in_lines("All was quiet on the bridge. 17", "All was quiet on the bridge.", "17")
    unsure = [Tag("content", 0.9), Tag("page_number", 0.4)]
    assert [part.leaves for part in parts(found, lines_of(found), unsure, LEAVING, 0.5)] == [None]
    assert [part.leaves for part in parts(found, lines_of(found), unsure, LEAVING, 0.4)] == [None, "page_number"]

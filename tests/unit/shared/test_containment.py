"""Whether a text stands on a page: strict, but for what cleaning takes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.containment import contains, stands_on
from shared.contracts.documents import Block, Line, Page


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ("The heron keeps a ledger.", "The heron keeps a ledger."),
        ("The heron keeps\na led-\nger.", "keeps a ledger."),
        ("The ﬁrst heron", "The first heron"),
        ("The heron [12, 13] keeps a ledger [4].", "The heron keeps a ledger."),
        ("The heron [12] keeps", "The heron [12] keeps"),
        ("The heron (Smith et al., 2020) keeps", "heron keeps"),
        ("Write to heron@applecross.example at once.", "Write to ⟨e-mail⟩ at once."),
    ],
)
def test_what_cleaning_changes_is_no_difference(held: str, text: str) -> None:
    assert contains(held, text)


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ("The heron keeps a ledger.", "The heron keeps two ledgers."),
        ("The heron keeps a ledger.", "The heron a ledger."),
        ("The heron keeps a ledger.", "The heron keeps a ledger. It reads it."),
        ("The heron keeps a ledger.", "A ledger the heron keeps."),
        ("The heron (of Applecross) keeps", "The heron keeps"),
        ("The heron [12] keeps", "The heron [2] keeps"),
        ("", "heron"),
        ("A heron writes.", "Another ⟨e-mail⟩ writes."),
    ],
)
def test_what_is_missing_added_or_moved_is_a_difference(held: str, text: str) -> None:
    assert not contains(held, text)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_every_part_of_a_text_stands_in_it(before: str, part: str, after: str) -> None:
    bare = "".join(char for char in part if char not in "[]()⟨⟩")
    assert contains(bare, bare)
    joined = " ".join("".join(char for char in text if char not in "[]()") for text in (before, bare, after))
    assert contains(joined, bare)


def test_only_the_box_that_is_named_counts() -> None:
    both, here, there = (10.0, 10.0, 100.0, 30.0), (10.0, 10.0, 100.0, 20.0), (10.0, 50.0, 100.0, 60.0)
    lines = (Line(text="The heron keeps", box=here), Line(text="a ledger.", box=(10.0, 20.0, 100.0, 30.0)))
    page = Page(
        number=1, engine="text-layer",
        blocks=(
            Block(kind="paragraph", text="The heron keeps a ledger.", box=both, start=0, end=25, lines=lines),
            Block(kind="paragraph", text="The otter does not.", box=there, start=27, end=46),
        ),
    )  # fmt: skip
    assert stands_on(page, both, "heron keeps a ledger")
    assert stands_on(page, here, "The heron keeps"), "a block that was cut by lines"
    assert not stands_on(page, here, "The heron keeps a ledger")
    assert not stands_on(page, there, "heron")
    assert not stands_on(page, None, "heron")

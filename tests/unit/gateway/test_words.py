"""The small pure parts: names, ranges, cursors, patches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.downloads import Unsatisfiable, byte_range
from services.gateway.filenames import MAX_CHARACTERS, attachment, from_disposition, tame
from services.gateway.pagination import decode_cursor, encode_cursor
from services.gateway.problems import BadCursor
from services.gateway.routes.collections import merge_patch


@given(st.text())
def test_a_tamed_name_is_a_bare_visible_name_and_taming_it_again_changes_nothing(name: str) -> None:
    tamed = tame(name)
    assert tamed and len(tamed) <= MAX_CHARACTERS
    assert not set("/\\\r\n\x00") & set(tamed) and tamed not in (".", "..")
    assert tame(tamed) == tamed


@given(st.text())
def test_a_disposition_is_one_line_of_ascii_whose_name_comes_back(name: str) -> None:
    header = attachment(tame(name))
    assert header.isascii() and header.isprintable() and header.count('"') == 2
    assert from_disposition(header) == tame(name)


def test_a_long_name_keeps_its_ending() -> None:
    assert tame("a" * 300 + ".pdf").endswith("aaa.pdf")


@pytest.mark.parametrize(
    ("header", "found"),
    [("bytes=0-0", (0, 1)), ("bytes=2-", (2, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)), ("bytes=5-99", (5, 10)),
     (None, None), ("bytes=-", None), ("bytes=5-2", None), ("bytes=0-1,3-4", None), ("lines=1-2", None), ("bytes=a-b", None)],
)  # fmt: skip
def test_a_range_is_read_as_rfc_9110_has_it(header: str | None, found: tuple[int, int] | None) -> None:
    assert byte_range(header, 10) == found


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, 10)


@given(st.text(max_size=40), st.integers(0, 10_000))
def test_whatever_a_range_says_it_stays_within_the_object(header: str, size: int) -> None:
    try:
        found = byte_range(f"bytes={header}", size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


printable = st.text().filter(str.isprintable)


@given(printable, printable, st.integers())
def test_a_cursor_comes_back_as_what_it_was_made_of(at: str, identity: str, byte: int) -> None:
    cursor = encode_cursor(at, identity, byte)
    assert decode_cursor(cursor, str, str, int) == [at, identity, byte]
    with pytest.raises(BadCursor):
        decode_cursor(cursor, str, str)


@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(text, str, str)


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}), ({"a": "b"}, {"a": None}, {}),
     ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
     ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
     ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}), (["a"], {"a": "b"}, {"a": "b"})],
)  # fmt: skip
def test_patches_merge_as_in_rfc_7396s_own_examples(target: object, patch: object, merged: object) -> None:
    assert merge_patch(target, patch) == merged

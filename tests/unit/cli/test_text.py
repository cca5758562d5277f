"""What documents and models say is shown, and steers nothing."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cli.text import count, duration, one_line, plain, segment, size


def test_escape_sequences_and_direction_overrides_are_made_visible() -> None:
    assert plain("\x1b[31mred\x1b]0;title\x07") == "\ufffd[31mred\ufffd]0;title\ufffd"
    assert plain("evil\u202efdp.exe") == "evil\ufffdfdp.exe"
    assert plain("two\nlines\tand a tab") == "two\nlines\tand a tab"


@given(st.text())
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain(text))


@given(st.text(), st.integers(2, 80))
def test_one_line_is_one_line_and_no_longer_than_asked(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert line.splitlines() in ([], [line])


@given(st.text(min_size=1))
def test_a_name_is_one_segment_of_a_path(name: str) -> None:
    assert not set(segment(name)) & set("/?#% ") - {"%"}


def test_figures_are_for_people() -> None:
    assert [duration(seconds) for seconds in (None, 0.04, 8.25, 185, 7800)] == [
        "–",
        "0.0 s",
        "8.2 s",
        "3 min 05 s",
        "2 h 10 min",
    ]
    assert [size(number) for number in (0, 1023, 1536, 3 << 30)] == ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]
    assert [count(number, "page") for number in (0, 1, 1200)] == ["0 pages", "1 page", "1 200 pages"]

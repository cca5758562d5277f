"""Server-sent events, as the standard has them."""

from hypothesis import given
from hypothesis import strategies as st

from cli.sse import Event, read_events


def test_an_event_has_its_name_data_and_id() -> None:
    lines = ["id: 7", "event: progress", 'data: {"a": 1}', ""]
    assert list(read_events(lines)) == [Event('{"a": 1}', "progress", "7")]


def test_data_over_several_lines_is_joined_and_comments_are_skipped() -> None:
    lines = [": keep-alive", "data: one", "data:two", "", ":", "", "data: three", ""]
    assert [event.data for event in read_events(lines)] == ["one\ntwo", "three"]


def test_an_event_that_was_cut_off_is_dropped() -> None:
    assert list(read_events(["data: whole", "", "data: half"])) == [Event("whole")]


def test_the_last_id_stays_until_another_comes() -> None:
    lines = ["id: 1", "data: a", "", "data: b", "", "id: 3", "data: c", ""]
    assert [event.id for event in read_events(lines)] == ["1", "1", "3"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n"), min_size=1), min_size=1))
def test_any_lines_of_data_come_back_as_they_were(lines: list[str]) -> None:
    stream = [f"data: {line}" for line in lines]
    assert [event.data for event in read_events([*stream, ""])] == ["\n".join(lines)]

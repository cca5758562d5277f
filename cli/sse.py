"""Server-sent events, read line by line (WHATWG HTML, section 9.2.6)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name, its data, and the id to resume after."""

    data: str
    name: str = "message"
    id: str | None = None


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events in a stream's lines (without their ends). An event that is not ended by an empty line is dropped."""
    data: list[str] = []
    name, last_id = "message", None
    for line in lines:
        if not line:
            if data:
                yield Event("\n".join(data), name, last_id)
            data, name = [], "message"
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value or "message"
        elif field == "id" and "\0" not in value:
            last_id = value

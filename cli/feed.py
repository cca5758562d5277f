"""A server's events as they come, read by a thread that reconnects, for a loop that looks in when it likes."""

import json
from queue import Empty, SimpleQueue
from threading import Event, Thread

from cli.api import Api, Json, Refused
from cli.outcome import Failure

RECONNECT_SECONDS = 1.0


class Feed:
    """Events from a path of the gateway. Losing the connection loses no event: it resumes after the last one seen."""

    def __init__(self, api: Api, path: str) -> None:
        self._api = api
        self._path = path
        self._events: SimpleQueue[Json] = SimpleQueue()
        self._closed = Event()
        self._last: str | None = None
        self._thread = Thread(target=self._read, daemon=True, name="events")
        self._thread.start()

    def wait(self, seconds: float) -> list[Json]:
        """The events since the last look; waits for the first of them, at most so long."""
        try:
            events = [self._events.get(timeout=seconds)]
        except Empty:
            return []
        while True:
            try:
                events.append(self._events.get_nowait())
            except Empty:
                return events

    def close(self) -> None:
        self._closed.set()

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                self._stream()
            except Refused:
                return  # no such events, or not for this key: whoever watches finds out by asking
            except (Failure, ValueError, RuntimeError):
                pass  # RuntimeError: the client was closed under way
            self._closed.wait(RECONNECT_SECONDS)

    def _stream(self) -> None:
        for event in self._api.events(self._path, self._last):
            if self._closed.is_set():
                return
            self._last = event.id or self._last
            self._events.put(json.loads(event.data))

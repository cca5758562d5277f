"""multipart/form-data as a stream: each file's bytes pass through as they arrive, and nothing is spooled."""

from collections import deque
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.gateway.problems import MalformedUpload
from shared.errors import InvalidInput

MAX_PARTS = 1_000


class FilePart:
    """One file of the form. Its blocks have to be read before the next part comes."""

    def __init__(self, filename: str, events: "_Events") -> None:
        self.filename = filename
        self._events = events

    async def blocks(self) -> AsyncIterator[bytes]:
        while (event := await self._events.following()) != _PART_END:
            assert isinstance(event, bytes)
            yield event


async def file_parts(body: AsyncIterator[bytes], content_type: str) -> AsyncIterator[FilePart]:
    """The files of a form, in order; fields that are no files are passed over. Raises MalformedUpload, InvalidInput."""
    events = _Events(body, _boundary(content_type))
    parts = 0
    while (event := await events.following()) is not None:
        parts += 1
        if parts > MAX_PARTS:
            raise InvalidInput(f"A form may hold at most {MAX_PARTS} parts: send the rest in another request.")
        assert isinstance(event, dict)
        filename = _filename(event)
        if filename is not None:
            yield FilePart(filename, events)
        else:
            while await events.following() != _PART_END:
                pass


_PART_END = "end"
_Event = dict[bytes, bytes] | bytes | str


class _Events:
    """What the parser met: a part's headers, its blocks, its end. Holds the events of one network block at a time."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._met: deque[_Event] = deque()
        self._whole = False
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": lambda: self._met.append(self._headers),
                "on_part_data": lambda data, start, end: self._met.append(data[start:end]),
                "on_part_end": lambda: self._met.append(_PART_END),
                "on_end": self._end,
            },
        )

    async def following(self) -> _Event | None:
        """The next event, or None at the form's end."""
        while not self._met:
            block = await anext(self._body, None)
            if block is None:
                if not self._whole:
                    raise MalformedUpload("The form ends before its closing boundary: send it again, whole.")
                return None
            self._write(block)
        return self._met.popleft()

    def _write(self, block: bytes) -> None:
        if self._whole:
            return  # RFC 2046, 5.1.1: what follows the closing boundary is to be ignored.
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise MalformedUpload("The body is no valid multipart/form-data.") from error

    def _begin(self) -> None:
        self._headers = {}

    def _header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self._whole = True


def _boundary(content_type: str) -> bytes:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise MalformedUpload("A multipart/form-data body needs a boundary of 1 to 70 characters in its Content-Type.")
    return boundary


def _filename(headers: dict[bytes, bytes]) -> str | None:
    _, options = parse_options_header(headers.get(b"content-disposition"))
    name = options.get(b"filename")
    return name.decode("utf-8", errors="replace") if name is not None else None

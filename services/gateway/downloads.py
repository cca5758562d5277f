"""Objects of the store as HTTP answers: streamed, with a name that is safe in a header, and by range where that helps."""

import re
from collections.abc import Iterator

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from services.gateway.filenames import attachment
from shared.contracts.work import File
from shared.objects import BLOCK_BYTES, ObjectStore

JSONL = "application/jsonl; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
PARQUET = "application/vnd.apache.parquet"
PDF = "application/pdf"

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(ValueError):
    """A range that begins behind the end."""


def download(store: ObjectStore, file: File, request: Request, filename: str, media_type: str) -> Response:
    """An object by its content: the SHA-256 is its ETag, so what a client holds already is not sent again."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": attachment(filename),
        "Accept-Ranges": "bytes",
    }
    if etag in _tags(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if request.headers.get("if-range", etag) != etag:
        wanted = None
    try:
        span = byte_range(wanted, file.size_bytes)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size_bytes}"})
    if span is None:
        whole = {**headers, "Content-Length": str(file.size_bytes)}
        return StreamingResponse(store.stream(file.path), headers=whole, media_type=media_type)
    start, end = span
    part = {**headers, "Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/{file.size_bytes}"}
    return StreamingResponse(_part(store, file.path, start, end), 206, part, media_type)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a single range (RFC 9110, 14.1.2); None for the whole, as for a header that is not
    understood or asks for several ranges. Raises Unsatisfiable."""
    found = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise Unsatisfiable
    return start, end


def _part(store: ObjectStore, path: str, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, BLOCK_BYTES):
        yield store.read_range(path, at, min(end, at + BLOCK_BYTES))


def _tags(header: str | None) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")} if header else set()

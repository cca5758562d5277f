"""The gateway as the command speaks to it: one method per way of asking, and every refusal a Failure that says what to do."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cli.outcome import Exit, Failure, exit_of_status
from cli.sse import Event, read_events
from cli.text import segment

PAGE_ITEMS = 200
SERVER_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
BLOCK_BYTES = 1 << 18
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
UPLOAD_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(connect=5.0, read=300.0, write=30.0, pool=30.0)

Json = dict[str, Any]


class Refused(Failure):
    """The server's answer to a request that it did not grant: a problem of RFC 9457."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message, exit_of_status(status), code)
        self.status = status


class Api:
    """A connection to the gateway. Safe to share between threads."""

    def __init__(self, server: str, key: str | None) -> None:
        self.server = server
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            remote = _remote(server)
            self._http = httpx.Client(base_url=server, headers=headers, timeout=TIMEOUT, trust_env=remote)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failure(f"{server!r} is no URL of a server: {error}", Exit.USAGE, "usage") from error

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, params=_given(query))

    def post(self, path: str, body: Json | None = None, **query: Any) -> Any:
        return self._ask("POST", path, json=body, params=_given(query))

    def patch(self, path: str, body: Json) -> Any:
        return self._ask("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def items(self, path: str, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """The items of a list, page after page, up to `limit`."""
        cursor, seen = None, 0
        while True:
            page = self.get(path, limit=min(PAGE_ITEMS, limit or PAGE_ITEMS), cursor=cursor, **query)
            for item in page["items"]:
                if limit is not None and seen >= limit:
                    return
                seen += 1
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def upload(self, collection: str, file: Path, sent: Callable[[int], None]) -> Json:
        """Send a file as a document, streaming; `sent` is told the bytes as they go. Raises Refused, Failure."""
        path = f"/v1/collections/{segment(collection)}/documents"
        headers = {"Content-Type": "application/pdf", "Content-Length": str(file.stat().st_size)}
        answer: Json = self._ask(
            "POST", path, params={"filename": file.name}, content=_blocks(file, sent), headers=headers, timeout=UPLOAD_TIMEOUT
        )
        return answer

    def send(self, path: str, file: Path, media_type: str, **query: Any) -> Json:
        """Send a file as the body of a request, streaming. Raises Refused, Failure, and OSError where it cannot be read."""
        headers = {"Content-Type": media_type, "Content-Length": str(file.stat().st_size)}
        blocks = _blocks(file, lambda sent: None)
        answer: Json = self._ask("POST", path, params=_given(query), content=blocks, headers=headers, timeout=UPLOAD_TIMEOUT)
        return answer

    def download(self, path: str, write: Callable[[bytes], Any], **query: Any) -> int:
        """Stream what lies at a path into `write`; returns the bytes."""
        total = 0
        with self._stream("GET", path, params=_given(query)) as answer:
            for block in answer.iter_bytes():
                write(block)
                total += len(block)
        return total

    def events(self, path: str, after: str | None = None) -> Iterator[Event]:
        """Server-sent events from a path until the server ends the stream."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        with self._stream("GET", path, headers=headers) as answer:
            yield from read_events(answer.iter_lines())

    def complete(self, path: str, body: Json) -> Iterator[Json]:
        """Stream an OpenAI-compatible completion: its chunks, as they come."""
        with self._stream("POST", path, json={**body, "stream": True}) as answer:
            for event in read_events(answer.iter_lines()):
                if event.data == "[DONE]":
                    return
                chunk: Json = json.loads(event.data)
                if "error" in chunk:
                    raise _said(502, chunk)
                yield chunk

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        with _reaching(self.server):
            answer = self._http.request(method, path, **request)
        if not answer.is_success:
            raise _refusal(answer)
        return answer.json() if answer.content else {}

    @contextmanager
    def _stream(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        with _reaching(self.server), self._http.stream(method, path, timeout=STREAM_TIMEOUT, **request) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            yield answer


def _remote(server: str) -> bool:
    """Whether a proxy named in the environment may stand between: never before this very machine. Raises ValueError."""
    url = httpx.URL(server)
    if url.scheme not in ("http", "https") or not url.host or not SERVER_HOST.fullmatch(url.host):
        raise ValueError("it has to be http://HOST:PORT or https://HOST:PORT")
    return url.host not in ("127.0.0.1", "localhost", "::1")


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _blocks(file: Path, sent: Callable[[int], None]) -> Iterator[bytes]:
    with file.open("rb") as reader:
        while block := reader.read(BLOCK_BYTES):
            yield block
            sent(len(block))


@contextmanager
def _reaching(server: str) -> Iterator[None]:
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Failure(f"{server!r} is no URL of a server: {error}", Exit.USAGE, "usage") from error
    except httpx.ConnectError as error:
        hint = "Start one with `lectern up`, or name another with --server."
        raise Failure(f"No server answers at {server}. {hint}", Exit.UNREACHABLE, "unreachable") from error
    except httpx.HTTPError as error:
        message = f"The connection to {server} was lost ({type(error).__name__}). Is it up? See `lectern ps`; then try again."
        raise Failure(message, Exit.UNREACHABLE, "connection-lost") from error


def _refusal(answer: httpx.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    return _said(answer.status_code, problem if isinstance(problem, dict) else {})


def _said(status: int, problem: Json) -> Refused:
    """The refusal in a problem of RFC 9457, or in OpenAI's own form."""
    inner = problem.get("error")
    if isinstance(inner, dict):
        problem = {"detail": inner.get("message"), "code": inner.get("code") or inner.get("type")}
    detail = str(problem.get("detail") or problem.get("title") or f"The server answered {status}.")
    for field in problem.get("errors") or ():
        detail += f" {field.get('field')}: {field.get('message')}."
    if status == 401:
        detail = f"{detail} Give a key with --key or LECTERN_KEY."
    return Refused(status, str(problem.get("code") or f"http-{status}"), detail)

"""A cap on request bodies, for all that is read whole into memory. Uploads stream, and keep a cap of their own."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: 413 by Content-Length as soon as the body is wanted, and by counting where there is none."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_upload(scope):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await self._app(scope, self._refuse, send)
        else:
            await self._app(scope, self._counting(receive), send)

    async def _refuse(self) -> Message:
        raise HTTPException(413, f"A request body may hold at most {self._max_bytes:,} bytes.")

    def _counting(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message if taken <= self._max_bytes else await self._refuse()

        return counted


def _is_upload(scope: Scope) -> bool:
    path: str = scope["path"]
    documents = path.startswith("/v1/collections/") and path.endswith("/documents")
    return scope["method"] == "POST" and (documents or path == "/v1/preferences/upload")

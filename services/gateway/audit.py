"""The audit log: who changed what, written down once for each request that succeeded in changing something."""

from http import HTTPStatus

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import layout
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.keys import ApiKey, Deed
from shared.keys import new_trace
from shared.objects import ObjectStore, create_contract
from shared.telemetry import log

READING = frozenset({"GET", "HEAD", "OPTIONS"})
NO_CHANGE = frozenset({"/v1/chat/completions", "/v1/completions", "/sign-out"})
"""Posted, but nothing is changed by it. Questions to models are nobody's business."""


class Audit:
    """ASGI middleware. Of a request the method and the path are kept, never the query or the body: they hold users' text."""

    def __init__(self, app: ASGIApp, store: ObjectStore, catalog: Catalog) -> None:
        self._app = app
        self._store = store
        self._catalog = catalog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING or scope["path"] in NO_CHANGE:
            await self._app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, sending)
        key: ApiKey | None = scope.get("lectern.key")
        if key is not None and 0 < status < HTTPStatus.BAD_REQUEST:
            await to_thread.run_sync(self._note, scope, key, status)

    def _note(self, scope: Scope, key: ApiKey, status: int) -> None:
        """What was done is done: a log that cannot be written is told of, and fails no request."""
        deed = Deed(
            id=new_trace(), at=now(), key=key.id, name=key.name, method=scope["method"], path=scope["path"][:500],
            status=status, trace=scope.get("lectern.trace", ""),
        )  # fmt: skip
        try:
            create_contract(self._store, layout.deed(deed.at, deed.id), deed)
            self._catalog.put_deed(deed)
        except Exception as error:
            log().error("audit.unwritten", error=type(error).__name__, method=deed.method, trace=deed.trace)

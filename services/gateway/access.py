"""Around every request: its trace, its log line, its figures, its security headers, and the answer to what nobody foresaw."""

import re
import time
from contextlib import AbstractContextManager, nullcontext

import structlog
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.metrics import Metrics
from services.gateway.problems import unforeseen
from shared.keys import new_trace
from shared.telemetry import log
from shared.tracing import span

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C's form of a caller's trace and span."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Access:
    """ASGI middleware. The path's template, never the path or the query, names a request in logs and figures."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = _TRACEPARENT.fullmatch(Headers(scope=scope).get("traceparent", ""))
        trace = scope["lectern.trace"] = caller["trace"] if caller else new_trace()
        with structlog.contextvars.bound_contextvars(trace=trace), _span(scope, caller[0] if caller else "") as told:
            await self._answer(scope, receive, send, told)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, told: Span) -> None:
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _head(message, scope)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if status:
                raise
            await unforeseen(Request(scope), error)(scope, receive, sending)
        finally:
            self._tell(scope, status or 499, time.monotonic() - began, told)

    def _tell(self, scope: Scope, status: int, seconds: float, told: Span) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        _describe(told, scope["method"], route, status)
        self._metrics.observe(scope["method"], route, status, seconds)
        if "lectern.answered" in scope:
            deployment, model = scope["lectern.answered"]
            self._metrics.observe_answer(deployment, model, status, seconds)
        if route not in _QUIET:
            log().info("http.request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4))


def _span(scope: Scope, caller: str) -> AbstractContextManager[Span]:
    """Probes have none."""
    if scope["path"] in _QUIET:
        return nullcontext(INVALID_SPAN)
    return span(scope["method"], {}, SpanKind.SERVER, caller)


def _describe(told: Span, method: str, route: str, status: int) -> None:
    """By the semantic conventions of OpenTelemetry for HTTP servers."""
    told.update_name(f"{method} {route}")
    told.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        told.set_status(StatusCode.ERROR)


def _head(message: Message, scope: Scope) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers["X-Request-Id"] = scope["lectern.trace"]

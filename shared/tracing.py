"""Spans: what each request and each stage took, told to OpenTelemetry where an endpoint is named, and to nobody where none is.

A span stands in the trace that answers, messages and log lines carry, so that an upload is followed through every stage. It
says names, counts and states; never text of a document, a path or a query.
"""

import atexit
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.keys import new_trace
from shared.telemetry import log
from shared.version import version_here

TRACES = "/v1/traces"
"""Where OTLP over HTTP takes spans."""
TELL_SECONDS = 5.0
"""After so long a batch is given up; and so long at most a process waits at its end, however much there is to tell."""
COMPLAIN_SECONDS = 60.0

_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class OurTraces(RandomIdGenerator):
    """A span without a parent stands in the trace that log lines are bound to."""

    def generate_trace_id(self) -> int:
        trace_id = _bound_trace()
        return int(trace_id, 16) if _ID.fullmatch(trace_id) else super().generate_trace_id()


class Complaints(logging.Handler):
    """OpenTelemetry's own troubles as log lines of ours, one a minute: they are none of the work's."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + COMPLAIN_SECONDS
            log().warning("spans.untold", detail=record.getMessage()[:300])


def configure_traces(service: str, endpoint: str | None) -> None:
    """Tell the collector at `endpoint` of this process's spans from now on, in batches and beside the work. What it does not
    take in time is dropped. OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`) are heeded."""
    if endpoint is None:
        return
    theirs = logging.getLogger("opentelemetry")
    theirs.addHandler(Complaints())
    theirs.propagate = False
    about = {"service.namespace": "lectern", "service.name": f"lectern-{service}", "service.version": version_here()}
    provider = TracerProvider(resource=Resource.create(about), id_generator=OurTraces(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint.rstrip("/") + TRACES, timeout=TELL_SECONDS)))
    trace.set_tracer_provider(provider)
    _end_in_time(provider)


def _end_in_time(provider: TracerProvider) -> None:
    """The provider's own end may take half a minute. A thread that is to end something has to begin before the process ends."""
    ending, told = Event(), Event()

    def tell() -> None:
        ending.wait()
        provider.shutdown()
        told.set()

    def end() -> None:
        ending.set()
        told.wait(TELL_SECONDS)

    Thread(target=tell, daemon=True).start()
    atexit.register(end)


def current_trace() -> str:
    """The trace of the request or the stage that this is done for; a new one where it is done for none."""
    return _bound_trace() or new_trace()


def _bound_trace() -> str:
    return str(structlog.contextvars.get_contextvars().get("trace", ""))


@contextmanager
def span(name: str, about: Mapping[str, str], kind: SpanKind = SpanKind.INTERNAL, caller: str = "") -> Iterator[Span]:
    """A span of the trace that log lines are bound to, closed when the context ends. `caller`: a W3C `traceparent`, whose span
    is then its parent."""
    parent = TraceContextTextMapPropagator().extract({"traceparent": caller}, Context())
    named = {f"lectern.{field}": value for field, value in about.items()}
    with trace.get_tracer("lectern").start_as_current_span(
        name, parent, kind, named, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:  # whose words may hold a document's
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise

"""Spans as a collector takes them: OTLP over HTTP from a process of its own, and what becomes of them where there is none."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from shared.settings import SharedSettings

ROOT = Path(__file__).parents[3]
TRACE = "ab" * 16
PROCESS = f"""
import sys
from structlog.contextvars import bound_contextvars
from shared.telemetry import configure_logs
from shared.tracing import configure_traces, span
configure_logs("INFO", True)
configure_traces("trial", sys.argv[1] or None)
for trace in ("{TRACE}", "no trace", "0" * 32):
    with bound_contextvars(trace=trace), span("stage of a trial", {{"job": "a job"}}) as told:
        told.set_attribute("lectern.outcome", "done")
print("worked on")
"""


class Collector(HTTPServer):
    """Takes spans as a collector does, and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[ExportTraceServiceRequest] = []


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tell(endpoint: str) -> subprocess.CompletedProcess[str]:
    """A process that opens three spans and ends."""
    command = [sys.executable, "-c", PROCESS, endpoint]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_tells_of_its_spans_before_it_ends(collector: Collector) -> None:
    done = tell(f"http://127.0.0.1:{collector.server_port}/")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    [group] = [one for request in collector.taken for one in request.resource_spans]
    about = {one.key: one.value.string_value for one in group.resource.attributes}
    assert (about["service.name"], about["service.namespace"]) == ("lectern-trial", "lectern")
    spans = [one for scope in group.scope_spans for one in scope.spans]
    assert {one.name for one in spans} == {"stage of a trial"}
    traces = [one.trace_id.hex() for one in spans]
    assert traces[0] == TRACE and len(set(traces)) == 3, "what is no trace gets one of its own"
    assert {one.key: one.value.string_value for one in spans[0].attributes} == {
        "lectern.job": "a job", "lectern.outcome": "done",
    }  # fmt: skip


def test_a_collector_that_is_away_costs_a_line_and_no_work() -> None:
    done = tell("http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (0, "worked on\n")
    [line] = done.stderr.splitlines()
    assert "spans.untold" in line and "Traceback" not in line


def test_nobody_is_told_where_no_endpoint_is_named() -> None:
    done = tell("")
    assert (done.returncode, done.stdout, done.stderr) == (0, "worked on\n", "")


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="otlp_endpoint"):
        SharedSettings(otlp_endpoint=endpoint)


def test_an_empty_endpoint_is_none() -> None:
    assert SharedSettings(otlp_endpoint="").otlp_endpoint is None

"""Spans of requests and stages: one trace from an upload to its last stage, and no word of a document in them."""

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.catalog.protocol import Slice
from shared.tracing import OurTraces
from tests.api.conftest import PDF, Gateway
from tests.servers import wait_until


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a collector is told of."""
    provider, exporter = TracerProvider(id_generator=OurTraces()), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def upload(client: httpx.Client, **headers: str) -> httpx.Response:
    path, headers = "/v1/collections/papers/documents", {"Content-Type": "application/pdf", **headers}
    return client.post(path, params={"filename": "secret-name.pdf"}, content=PDF, headers=headers)


def of_requests(told: InMemorySpanExporter, least: int = 1) -> list[ReadableSpan]:
    """Those of requests, which are told after their answers."""

    def found() -> list[ReadableSpan]:
        return [one for one in told.get_finished_spans() if one.kind is SpanKind.SERVER]

    wait_until(lambda: len(found()) >= least, "spans of requests")
    return found()


def test_nobody_else_tells_of_a_request(told: InMemorySpanExporter, client: httpx.Client) -> None:
    """FastAPI has spans of its own, with paths and queries in them."""
    client.get("/v1/search", params={"q": "a secret question"})
    client.get("/no/such/secret-path")
    assert len(of_requests(told, 2)) == 2 == len(told.get_finished_spans())
    assert "secret" not in " ".join(one.to_json() for one in told.get_finished_spans())


def test_an_upload_is_one_trace_with_every_stage(told: InMemorySpanExporter, gateway: Gateway, client: httpx.Client) -> None:
    answer = upload(client)
    [request] = of_requests(told)
    assert gateway.workers.run(answer.json()["job"]) == "done"
    stages = [one for one in told.get_finished_spans() if one.kind is SpanKind.CONSUMER]
    assert [one.name for one in stages] == [f"stage {name}" for name in ("extraction", "cleaning", "chunking", "screening")]
    assert {f"{one.context.trace_id:032x}" for one in (request, *stages)} == {answer.headers["x-request-id"]}
    assert request.name == "POST /v1/collections/{collection}/documents" and request.parent is None
    assert request.attributes is not None and request.attributes["http.response.status_code"] == 202
    assert all((one.attributes or {})["lectern.outcome"] == "done" for one in stages)
    everything = " ".join(one.to_json() for one in told.get_finished_spans())
    assert "secret-name" not in everything and "gauge" not in everything


def test_what_a_chore_sets_off_is_of_the_trace_that_asked_for_it(
    told: InMemorySpanExporter, gateway: Gateway, client: httpx.Client
) -> None:
    gateway.workers.run(upload(client).json()["job"])
    told.clear()
    changed = client.patch("/v1/collections/papers", json={"chunking": {"max_tokens": 128}})
    assert changed.status_code == 202, changed.text
    assert gateway.await_job(changed).state == "done"
    [document] = gateway.catalog.jobs(Slice(), "document")
    assert gateway.workers.run(document.id) == "done"
    mine = [one for one in told.get_finished_spans() if f"{one.context.trace_id:032x}" == changed.headers["x-request-id"]]
    assert {one.name for one in mine} >= {"chore settings", "stage chunking", "stage screening"}


def test_the_callers_span_is_the_parent_of_the_requests(told: InMemorySpanExporter, client: httpx.Client) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = upload(client, traceparent=f"00-{trace}-{parent}-01")
    assert answer.headers["x-request-id"] == trace
    strange = upload(client, traceparent=f"01-{trace}-{parent}-01-of-later")
    assert strange.headers["x-request-id"] != trace
    ours, other = of_requests(told, 2)
    assert ours.parent is not None and (f"{ours.parent.span_id:016x}", f"{ours.context.trace_id:032x}") == (parent, trace)
    assert other.parent is None and f"{other.context.trace_id:032x}" == strange.headers["x-request-id"]


def test_what_broke_is_an_error_without_its_words(told: InMemorySpanExporter, gateway: Gateway, client: httpx.Client) -> None:
    job = upload(client).json()["job"]

    def broken(_: object) -> None:
        raise RuntimeError("the secret of page 7")

    gateway.workers.own["extraction"] = broken  # type: ignore[assignment]
    for _ in range(9):
        if gateway.workers.run(job) == "dead":
            break
    stages = [one for one in told.get_finished_spans() if one.kind is SpanKind.CONSUMER]
    assert stages and all(one.status.status_code is StatusCode.ERROR for one in stages)
    assert {(one.attributes or {})["lectern.outcome"] for one in stages} == {"waiting", "dead"}
    assert "page 7" not in " ".join(one.to_json() for one in stages)


def test_probes_have_no_spans(told: InMemorySpanExporter, client: httpx.Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/v1/collections"):
        client.get(path)
    assert [one.name for one in of_requests(told)] == ["GET /v1/collections"]

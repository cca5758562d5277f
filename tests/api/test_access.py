"""Who may do what, what every answer carries, and what is said where something breaks."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.gateway.settings import GatewaySettings
from shared.contracts.keys import Scope
from shared.ids import document_job
from shared.objects import ObjectStore
from tests.api.conftest import PDF, Gateway
from tests.servers import Valkey, wait_until

OPEN = ("/healthz", "/readyz", "/metrics", "/docs", "/docs/start.js", "/docs/assets/swagger-ui-bundle.js", "/openapi.json")


def paths(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{gateway.url}/openapi.json").json()["paths"]
    return found


def test_every_operation_but_those_of_operators_needs_a_key(gateway: Gateway) -> None:
    asked = 0
    for path, operations in paths(gateway).items():
        for method in operations:
            concrete = re.sub(r"\{[^}]+\}", "0" * 16, path)
            answer = httpx.request(method.upper(), gateway.url + concrete, json={"model": "m", "messages": [{}], "prompt": "p"})
            assert answer.status_code == (401 if path.startswith("/v1/") else 200), (method, path, answer.text)
            asked += 1
    assert asked > 40


def test_the_pages_of_operators_are_open(gateway: Gateway) -> None:
    assert [httpx.get(gateway.url + path).status_code for path in OPEN] == [200] * len(OPEN)
    assert "http" not in re.sub(r"http-equiv", "", httpx.get(f"{gateway.url}/docs").text), "the page works without the internet"


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        (("read",), (200, 403, 403)),
        (("write",), (200, 201, 403)),
        (("admin",), (200, 201, 200)),
        (("read", "write"), (200, 201, 403)),
    ],
)
def test_scopes_include_the_ones_below_them(gateway: Gateway, scopes: tuple[Scope, ...], statuses: tuple[int, ...]) -> None:
    with gateway.client(*scopes) as client:
        answers = client.get("/v1/collections"), client.put("/v1/collections/papers", json={}), client.get("/v1/keys")
    assert tuple(answer.status_code for answer in answers) == statuses


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer lk-wrong", "Basic bGs6bGs=", "lk-wrong", "Bearer lk-\xff"])
def test_a_request_without_a_known_key_is_told_how_to_send_one(gateway: Gateway, header: str) -> None:
    answer = httpx.get(f"{gateway.url}/v1/jobs", headers={"Authorization": header.encode("latin-1")} if header else {})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_is_told_once_listed_without_its_secret_and_worth_nothing_when_revoked(
    gateway: Gateway, client: httpx.Client
) -> None:
    made = client.post("/v1/keys", json={"name": "laptop", "scopes": ["write"]})
    assert made.status_code == 201 and made.json()["secret"].startswith("lk-")
    theirs = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert httpx.get(f"{gateway.url}/v1/jobs", headers=theirs).status_code == 200
    listed = client.get("/v1/keys")
    assert made.json()["secret"] not in listed.text and "secret" not in listed.text
    assert client.delete(f"/v1/keys/{made.json()['id']}").json()["revoked_at"] is not None
    assert httpx.get(f"{gateway.url}/v1/jobs", headers=theirs).status_code == 401
    assert client.delete("/v1/keys/000000000000").status_code == 404


def test_a_key_asked_for_twice_is_made_once_and_its_secret_is_written_down_nowhere(
    gateway: Gateway, client: httpx.Client
) -> None:
    asked = {"json": {"name": "ci"}, "headers": {"Idempotency-Key": "k"}}
    first, again = client.post("/v1/keys", **asked), client.post("/v1/keys", **asked)
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.json()["id"], again.json()["secret"]) == (first.json()["id"], None)
    assert [key["name"] for key in client.get("/v1/keys").json()["items"]].count("ci") == 1
    objects = b"".join(gateway.store.read(path) for path in gateway.store.list("keys"))
    assert first.json()["secret"].encode() not in objects


def test_two_callers_may_use_the_same_idempotency_key(gateway: Gateway) -> None:
    with gateway.client("admin") as one, gateway.client("admin") as other:
        headers = {"Idempotency-Key": "same"}
        first = one.post("/v1/keys", json={"name": "a"}, headers=headers)
        second = other.post("/v1/keys", json={"name": "b"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotency-replayed" not in second.headers


def test_errors_are_problem_details_that_name_the_fields_and_repeat_no_value(client: httpx.Client) -> None:
    answer = client.put("/v1/collections/papers", json={"chunking": {"max_tokens": "a secret sentence", "colour": 1}})
    told = answer.json()
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert (told["type"], told["code"]) == ("urn:lectern:problem:invalid-request", "invalid-request")
    assert told["instance"] == "/v1/collections/papers" and told["trace"] == answer.headers["x-request-id"]
    assert {error["field"] for error in told["errors"]} == {"body.chunking.max_tokens", "body.chunking.colour"}
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/v1/nothing", 404, "not-found"), ("PUT", "/v1/jobs", 405, "method-not-allowed"),
     ("GET", "/v1/jobs?limit=0", 422, "invalid-request"), ("GET", "/v1/jobs/no.such", 404, "not-found"),
     ("GET", "/v1/collections/none", 404, "not-found"), ("GET", "/v1/documents/abc", 422, "invalid-request"),
     ("GET", "/v1/documents/abcdef", 404, "not-found"), ("GET", "/v1/runs/0000000000000000", 404, "not-found")],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_too(client: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_no_json_or_too_large_is_refused(client: httpx.Client) -> None:
    def post(content: Any) -> httpx.Response:
        return client.post("/v1/datasets", content=content, headers={"Content-Type": "application/json"})

    assert post(b"{").json()["code"] == "invalid-request"
    large = b'{"name": "' + b"a" * (1 << 20) + b'"}'
    for answer in (post(large), post(iter([large[:100], large[100:]]))):
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize("cursor", ["x", "!!!", "e30", "WzEsMl0", "W251bGxd", "WyJcdTAwMDAiLCJhIl0", "WyJcdWQ4MDAiLCJhIl0"])
def test_a_cursor_that_no_list_gave_out_is_refused(client: httpx.Client, cursor: str) -> None:
    for path in ("/v1/collections", "/v1/jobs", "/v1/datasets", "/v1/runs", "/v1/tuned-models", "/v1/garbage"):
        answer = client.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-cursor")


class Breaking:
    """A store whose reads fail with what must not be told."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(self, path: str) -> bytes:
        raise RuntimeError("password=hunter2")


def test_an_error_that_nobody_foresaw_tells_its_trace_and_nothing_else(
    make_gateway: Callable[..., Gateway],
    gateway_settings: GatewaySettings,
    store: ObjectStore,
    capfd: pytest.CaptureFixture[str],
) -> None:
    gateway = make_gateway(gateway_settings, Breaking(store))
    with gateway.client() as client:
        answer = client.put("/v1/collections/papers", json={})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "hunter2" not in answer.text
    logged = "".join(capfd.readouterr())
    assert "hunter2" in logged and answer.json()["trace"] in logged


def test_answers_carry_security_headers_and_the_callers_trace(client: httpx.Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = client.get("/v1/jobs", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["x-request-id"] == trace
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers or "uvicorn" in answer.headers["server"], "__main__ turns the server header off"
    assert re.fullmatch("[0-9a-f]{32}", client.get("/v1/jobs", headers={"traceparent": "junk"}).headers["x-request-id"])


def test_logs_hold_routes_and_no_text_of_users(
    gateway: Gateway, client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    client.get("/v1/tuned-models/m/evidence", params={"text": "a confidential sentence"})
    client.put("/v1/collections/papers", json={"chunking": {"max_tokens": "a confidential sentence"}})
    logged = "".join(capfd.readouterr())
    assert "/v1/tuned-models/{model}/evidence" in logged
    assert "confidential" not in logged


def test_readiness_names_each_part_and_outlives_the_queue_server(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore, valkey: Valkey
) -> None:
    gateway = make_gateway(gateway_settings, store)
    ready = httpx.get(f"{gateway.url}/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "parts": {"catalog": "ok", "store": "ok", "queue": "ok"}},
    )
    valkey.kill()
    try:
        degraded = httpx.get(f"{gateway.url}/readyz", timeout=30)
        document = gateway.add(done=False)
        figures = httpx.get(f"{gateway.url}/metrics", timeout=30)
    finally:
        valkey.start()
    assert (degraded.status_code, degraded.json()["status"], degraded.json()["parts"]["queue"]) == (
        200,
        "degraded",
        "unavailable",
    )
    assert gateway.catalog.document("papers", document) is not None, "an upload is kept, and queued by the recovery sweep"
    assert "lectern_jobs" in figures.text


def test_a_store_that_does_not_answer_makes_the_gateway_unready(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore
) -> None:
    class Gone(Breaking):
        def size(self, path: str) -> int | None:
            raise OSError("no route to host 10.0.0.1")

    answer = httpx.get(f"{make_gateway(gateway_settings, Gone(store)).url}/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "10.0.0.1" not in answer.text


def test_figures_are_told_by_route_queue_and_state(gateway: Gateway, client: httpx.Client) -> None:
    gateway.add(done=False)
    client.get("/v1/jobs/one"), client.get("/v1/jobs/two"), client.get("/nowhere")
    figures = httpx.get(f"{gateway.url}/metrics").text
    assert 'lectern_http_requests_total{method="GET",route="/v1/jobs/{job}",status="404"} 2.0' in figures
    assert 'lectern_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in figures
    assert 'lectern_queue_depth{queue="extraction"} 1.0' in figures
    assert 'lectern_jobs{kind="document",state="queued"} 1.0' in figures


def test_operations_are_described_and_named_uniquely(gateway: Gateway) -> None:
    operations = [one for found in paths(gateway).values() for one in found.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all(one["summary"] and one["description"] and one["tags"] for one in operations)
    assert "HTTPValidationError" not in json.dumps(operations)


def test_the_gateway_sweeps_for_work_that_nobody_is_at(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore
) -> None:
    gateway = make_gateway(gateway_settings.model_copy(update={"recovery_seconds": 0.05}), store)
    document = gateway.add(content=PDF, done=False)
    gateway.catalog.retry_job(document_job("papers", document), 0.0, "unavailable", "It will be tried again.")
    wait_until(lambda: gateway.parts.queue.depth("extraction") == 2, "the sweep")


def test_who_changed_what_is_written_down_and_survives_a_lost_catalog(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.put("/v1/collections/papers", json={})
        client.put("/v1/collections/Not%20A%20Name", json={})
        client.get("/v1/collections")
        found = client.get("/v1/keys/audit").json()["items"]
        assert [(one["method"], one["path"], one["status"], one["name"]) for one in found] == [
            ("PUT", "/v1/collections/papers", 201, "test")
        ]
        assert client.post("/v1/reindex").is_success
    with gateway.client("write") as client:
        assert client.get("/v1/keys/audit").status_code == 403
    paths = list(gateway.store.list("audit"))
    assert f"audit/{found[0]['at'][:10]}/{found[0]['id']}.json" in paths

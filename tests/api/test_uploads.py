"""Uploads: what comes in, what is refused, and that nothing is left behind; on a local store and on S3."""

import hashlib
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from services.gateway.settings import GatewaySettings
from shared import layout
from shared.objects import ObjectStore
from tests.api.conftest import PDF, Gateway
from tests.servers import wait_until

PATH = "/v1/collections/papers/documents"
AS_PDF = {"Content-Type": "application/pdf"}
LARGE = PDF + bytes(range(256)) * 12_000


@pytest.fixture
def gateway(make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, any_store: ObjectStore) -> Gateway:
    return make_gateway(gateway_settings, any_store)


def blocks(content: bytes, size: int = 50_000) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "status", "detail", "code", "instance", "trace"}


@pytest.mark.parametrize("content", [PDF, LARGE], ids=["small", "three-mebibytes"])
def test_a_pdf_sent_as_the_body_is_kept_under_its_digest(gateway: Gateway, client: httpx.Client, content: bytes) -> None:
    answer = client.post(PATH, params={"filename": "paper.pdf"}, content=blocks(content), headers=AS_PDF)
    sha256 = hashlib.sha256(content).hexdigest()
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["id"], told["filename"], told["size_bytes"], told["state"]) == (sha256, "paper.pdf", len(content), "queued")
    assert answer.headers["location"] == f"{PATH}/{sha256}"
    assert client.get(f"/v1/jobs/{told['job']}").json()["subject"] == sha256
    assert gateway.store.read(layout.source(sha256)) == content
    assert gateway.parts.queue.depth("extraction") == 1
    assert gateway.uploads() == []


def test_files_of_a_form_are_taken_in_together(gateway: Gateway, client: httpx.Client) -> None:
    files = [("file", (f"report-{at}.pdf", LARGE + bytes([at]))) for at in range(3)]
    answer = client.post(PATH, files=files, data={"note": "not a file"})
    assert answer.status_code == 202, answer.text
    assert [item["filename"] for item in answer.json()["items"]] == ["report-0.pdf", "report-1.pdf", "report-2.pdf"]
    assert {one.document for one in gateway.memberships("papers")} == {item["id"] for item in answer.json()["items"]}
    assert all(gateway.store.read(layout.source(item["id"])).startswith(LARGE) for item in answer.json()["items"])
    assert gateway.uploads() == []


def test_the_same_bytes_twice_are_the_same_document(gateway: Gateway, client: httpx.Client) -> None:
    first = client.post(PATH, content=PDF, headers=AS_PDF)
    again = client.post(PATH, files={"file": ("another-name.pdf", PDF)})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["items"][0]["id"] == first.json()["id"]
    assert len(gateway.memberships("papers")) == 1
    assert len(client.get("/v1/jobs").json()["items"]) == 1
    assert gateway.uploads() == []


def test_a_pdf_header_may_stand_anywhere_in_the_first_1024_bytes(client: httpx.Client) -> None:
    assert client.post(PATH, content=b"\n" * 1019 + PDF, headers=AS_PDF).status_code == 202
    assert_refused(client.post(PATH, content=b"\n" * 1020 + PDF, headers=AS_PDF), 415, "not-a-pdf")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, "empty-upload"), (b"Dear all,\n" * 9_000, 415, "not-a-pdf"), (b"Hi", 415, "not-a-pdf"),
     (PDF + bytes(13 << 20), 413, "too-large")],
    ids=["empty", "text", "short-text", "over-the-cap"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["announced", "chunked", "form"])
def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    gateway: Gateway, client: httpx.Client, content: bytes, status: int, code: str, way: str
) -> None:
    if way == "form":
        answer = client.post(PATH, files=[("file", ("good.pdf", LARGE)), ("file", ("bad.pdf", content))])
    else:
        answer = client.post(PATH, content=content if way == "announced" else blocks(content), headers=AS_PDF)
    assert_refused(answer, status, code)
    assert gateway.uploads() == []
    assert list(gateway.store.list("documents")) == []
    assert gateway.parts.catalog.collection("papers") is None


def test_a_form_without_a_file_is_an_empty_upload(client: httpx.Client) -> None:
    assert_refused(client.post(PATH, files={"note": (None, "no file")}), 400, "empty-upload")


def test_a_form_that_is_cut_short_or_garbled_is_refused(gateway: Gateway, client: httpx.Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + PDF
    for body in (head, b"no boundary at all", b"--b\r\nbroken header\r\n\r\n", head + b"\r\n--b"):
        answer = client.post(PATH, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert_refused(answer, 400, "malformed-upload")
    assert_refused(client.post(PATH, content=head, headers={"Content-Type": "multipart/form-data"}), 400, "malformed-upload")
    assert gateway.uploads() == []


@pytest.mark.parametrize("way", ["announced", "chunked", "form"])
def test_a_client_that_goes_away_leaves_nothing(gateway: Gateway, way: str) -> None:
    with gateway.client() as client:
        key = client.headers["authorization"]
    kind = "multipart/form-data; boundary=b" if way == "form" else "application/pdf"
    length = "Transfer-Encoding: chunked" if way == "chunked" else "Content-Length: 5000000"
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' if way == "form" else b""
    body = part + LARGE
    with socket.create_connection(("127.0.0.1", int(gateway.url.rsplit(":", 1)[1]))) as connection:
        connection.sendall(head + (b"%x\r\n%b\r\n" % (len(body), body) if way == "chunked" else body))
    wait_until(
        lambda: 'route="/v1/collections/{collection}/documents",status="499"' in metrics(gateway), "the end of the request"
    )
    assert gateway.uploads() == []
    assert list(gateway.store.list("documents")) == []


def metrics(gateway: Gateway) -> str:
    return httpx.get(f"{gateway.url}/metrics").text


def test_a_name_comes_from_the_query_or_the_disposition_and_is_tamed(client: httpx.Client) -> None:
    asked = {**AS_PDF, "Content-Disposition": "attachment; filename*=UTF-8''na%C3%AFve%20r%C3%A9sum%C3%A9.pdf"}
    assert client.post(PATH, content=PDF + b"1", headers=asked).json()["filename"] == "naïve résumé.pdf"
    named = client.post(PATH, params={"filename": "../../etc/pass\r\nwd\u202e.pdf"}, content=PDF + b"2", headers=AS_PDF)
    assert named.json()["filename"] == "passwd.pdf"
    assert client.post(PATH, content=PDF + b"3", headers=AS_PDF).json()["filename"] == "document.pdf"
    form = client.post(PATH, files={"file": ("C:\\papers\\ü.pdf", PDF + b"4")})
    assert form.json()["items"][0]["filename"] == "ü.pdf"


def test_a_collection_that_cannot_be_named_so_is_refused_before_anything_is_read(client: httpx.Client) -> None:
    assert_refused(client.post("/v1/collections/No%20Name/documents", content=PDF, headers=AS_PDF), 422, "invalid-input")


def test_an_upload_is_answered_again_under_its_idempotency_key(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "upload-1"}
    first = client.post(PATH, content=PDF, headers={**AS_PDF, **key})
    again = client.post(PATH, content=PDF, headers={**AS_PDF, **key})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true" and again.headers["location"] == first.headers["location"]
    assert_refused(client.post(PATH, content=PDF + b"x", headers={**AS_PDF, **key}), 422, "idempotency-key-reused")
    other = client.post("/v1/collections/other/documents", content=PDF, headers={**AS_PDF, **key})
    assert_refused(other, 422, "idempotency-key-reused")

"""Collections and documents: settings, lists, states, and downloads of what the stages made."""

import hashlib
import json

import httpx
import pytest

from shared.contracts.work import Rejected
from tests.api.conftest import PDF, Gateway

SHELF = "/v1/collections/papers"


def test_a_collection_is_made_counted_and_listed(gateway: Gateway, client: httpx.Client) -> None:
    made = client.put(SHELF, json={"chunking": {"max_tokens": 128}})
    assert (made.status_code, made.json()["parameters"]["chunking"]["max_tokens"]) == (201, 128)
    assert client.put(SHELF, json={"chunking": {"max_tokens": 128}}).status_code == 200
    gateway.add(content=PDF + b"1")
    gateway.add(content=PDF + b"2", done=False)
    found = client.get(SHELF).json()
    assert (found["documents"], found["states"]) == (2, {"done": 1, "queued": 1})
    assert [one["name"] for one in client.get("/v1/collections").json()["items"]] == ["papers"]
    assert client.put("/v1/collections/Not%20A%20Name", json={}).status_code == 422


def test_a_patch_merges_and_null_brings_a_default_back(client: httpx.Client) -> None:
    assert client.patch(SHELF, json={"chunking": {"max_tokens": 64}}).status_code == 201
    changed = client.patch(SHELF, json={"chunking": {"overlap_sentences": 2}})
    assert changed.status_code == 200
    assert [changed.json()["parameters"]["chunking"][name] for name in ("max_tokens", "overlap_sentences")] == [64, 2]
    back = client.patch(SHELF, json={"chunking": {"max_tokens": None}}).json()["parameters"]["chunking"]
    assert (back["max_tokens"], back["overlap_sentences"]) == (256, 2)
    refused = client.patch(SHELF, json={"chunking": {"max_tokens": 1}})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")
    assert "body.chunking.max_tokens" in refused.json()["detail"]
    assert client.patch(SHELF, json=[1]).status_code == 422


def test_a_changed_setting_runs_only_what_depends_on_it(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add()
    before = {stage["stage"]: stage["key"] for stage in client.get(f"{SHELF}/documents/{document}").json()["stages"]}
    answer = client.patch(SHELF, json={"chunking": {"max_tokens": 64}})
    assert (answer.status_code, answer.json()["parameters"]["chunking"]["max_tokens"]) == (202, 64)
    assert gateway.await_job(answer).result == {"documents": 1}
    found = client.get(f"{SHELF}/documents/{document}").json()
    assert (found["state"], found["stage"]) == ("queued", "chunking")
    after = {stage["stage"]: stage["key"] for stage in found["stages"]}
    assert (after["extraction"], after["cleaning"]) == (before["extraction"], before["cleaning"])
    assert client.get(f"{SHELF}/documents/{document}/mmd").status_code == 200
    not_ready = client.get(f"{SHELF}/documents/{document}/chunks")
    assert (not_ready.status_code, not_ready.json()["code"]) == (409, "not-ready")


def test_setting_what_is_set_already_changes_nothing(gateway: Gateway, client: httpx.Client) -> None:
    client.put(SHELF, json={})
    client.put(SHELF, json={})
    client.patch(SHELF, json={})
    assert len(list(gateway.store.list("collections/papers/settings"))) == 1


def test_documents_are_listed_by_pages_and_by_state(gateway: Gateway, client: httpx.Client) -> None:
    ids = [gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf", done=at < 2) for at in range(5)]
    first = client.get(f"{SHELF}/documents", params={"limit": 2}).json()
    second = client.get(f"{SHELF}/documents", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    gateway.add(content=PDF + b"late", filename="late.pdf", done=False)
    third = client.get(f"{SHELF}/documents", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    assert [one["id"] for page in (first, second, third) for one in page["items"]] == ids[::-1]
    assert third["next_cursor"] is None
    done = client.get(f"{SHELF}/documents", params={"state": "done"}).json()
    assert {one["id"] for one in done["items"]} == set(ids[:2])
    assert client.get(f"{SHELF}/documents", params={"state": "asleep"}).status_code == 422


def test_a_document_is_found_by_the_beginning_of_its_id_on_every_shelf(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add("papers")
    gateway.add("manuals", filename="manual.pdf")
    found = client.get(f"/v1/documents/{document[:8]}").json()["items"]
    assert {(one["collection"], one["filename"]) for one in found} == {("papers", "paper.pdf"), ("manuals", "manual.pdf")}
    assert client.get(f"{SHELF}/documents/{document[:10]}").json()["id"] == document
    assert client.get(f"/v1/collections/manuals/documents/{'0' * 64}").status_code == 404


def test_each_form_of_a_document_is_downloaded_with_a_fitting_name_and_type(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add(filename="Tide gauges.pdf")
    shelf = f"{SHELF}/documents/{document}"
    for form, kind, name in [
        ("mmd", "text/markdown; charset=utf-8", "Tide gauges.mmd"),
        ("pages", "application/jsonl; charset=utf-8", "Tide gauges_pages.jsonl"),
        ("chunks", "application/jsonl; charset=utf-8", "Tide gauges_chunks.jsonl"),
        ("garbage", "application/jsonl; charset=utf-8", "Tide gauges_garbage.jsonl"),
        ("source", "application/pdf", "Tide gauges.pdf"),
    ]:
        answer = client.get(f"{shelf}/{form}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="{name}"')
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(f"{shelf}/mmd").text.startswith("# Report")
    assert not client.get(f"{shelf}/mmd", params={"clean": True}).text.startswith("# Report")
    assert json.loads(client.get(f"{shelf}/chunks").text)["document"] == document
    assert len(client.get(f"{shelf}/garbage").content.splitlines()) == 3


@pytest.mark.parametrize("name", ['a".pdf', "ü\u2028.pdf", "a;b=c.pdf", "100%.pdf", "'; filename=evil.exe; x='.pdf"])
def test_no_name_breaks_out_of_the_disposition_header(gateway: Gateway, client: httpx.Client, name: str) -> None:
    document = gateway.add(filename=name, done=False)
    header = client.get(f"{SHELF}/documents/{document}/source").headers["content-disposition"]
    assert header.count('"') == 2 and header.count(";") == 2 + header.split('"')[1].count(";")
    assert header.isascii() and header.isprintable()


def test_ranges_of_the_source_are_honoured(gateway: Gateway, client: httpx.Client) -> None:
    content = PDF + bytes(range(256)) * 10_000
    source = f"{SHELF}/documents/{gateway.add(content=content, done=False)}/source"
    whole = client.get(source)
    assert whole.content == content and whole.headers["accept-ranges"] == "bytes"
    for asked, start, end in [
        ("bytes=0-3", 0, 4),
        ("bytes=1500000-", 1_500_000, len(content)),
        ("bytes=-10", len(content) - 10, len(content)),
    ]:
        part = client.get(source, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, content[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(content)}"
    beyond = client.get(source, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
    assert client.get(source, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).status_code == 200
    etag = whole.headers["etag"]
    assert etag == f'"{hashlib.sha256(content).hexdigest()}"'
    assert client.get(source, headers={"If-None-Match": etag}).status_code == 304


def test_a_refused_document_says_why_and_what_to_do(gateway: Gateway, client: httpx.Client) -> None:
    gateway.workers.refuse = Rejected(reason="encrypted", detail="Remove the password and upload it again.")
    document = gateway.add()
    found = client.get(f"{SHELF}/documents/{document}").json()
    assert (found["state"], found["code"], found["detail"]) == (
        "failed",
        "encrypted",
        "Remove the password and upload it again.",
    )
    download = client.get(f"{SHELF}/documents/{document}/chunks")
    assert (download.status_code, download.json()["code"]) == (409, "not-ready")
    assert "Remove the password" in download.json()["detail"]


def test_garbage_is_listed_across_documents_page_by_page(gateway: Gateway, client: httpx.Client) -> None:
    ids = [gateway.add(content=PDF + bytes([at]), done=at != 1) for at in range(4)]
    gateway.add("other", content=PDF + b"other")
    seen, cursor, pages = [], None, 0
    while True:
        page = client.get(
            "/v1/garbage", params={"collection": "papers", "limit": 2} | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [(item["document"], item["id"]) for item in page["items"]]
        assert len(page["items"]) <= 2
        cursor, pages = page["next_cursor"], pages + 1
        if cursor is None:
            break
    assert seen == [(ids[at], f"g{item}") for at in (3, 2, 0) for item in range(3)]
    assert pages >= 5
    assert len(client.get("/v1/garbage", params={"limit": 200}).json()["items"]) == 12
    assert client.get("/v1/garbage", params={"collection": "none"}).status_code == 404


def test_garbage_of_one_document_is_listed_page_by_page(gateway: Gateway, client: httpx.Client) -> None:
    gateway.workers.garbage = 500
    document = gateway.add()
    seen, cursor = [], None
    while True:
        page = client.get(
            "/v1/garbage", params={"document": document[:12], "limit": 200} | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [f"g{at}" for at in range(500)]


def test_the_catalog_made_anew_answers_the_same(gateway: Gateway, client: httpx.Client) -> None:
    gateway.add(content=PDF + b"1")
    gateway.add(content=PDF + b"2", done=False)
    paths = ("/v1/collections", SHELF, f"{SHELF}/documents", "/v1/garbage", "/v1/jobs?kind=document")
    before = [client.get(path).json() for path in paths]
    answer = client.post("/v1/reindex")
    assert (answer.status_code, answer.json()["kind"]) == (202, "reindex")
    counts = gateway.await_job(answer).result
    assert counts is not None and (counts["documents"], counts["collections"]) == (2, 1)
    assert [client.get(path).json() for path in paths] == before


def test_a_document_is_taken_off_one_shelf_and_stays_on_the_other(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add("papers")
    only = client.delete(f"/v1/collections/papers/documents/{document}")
    assert only.status_code == 409
    assert "lectern forget" in only.json()["detail"]
    gateway.add("others")
    assert client.delete(f"/v1/collections/papers/documents/{document}").status_code == 204
    assert client.get("/v1/collections/papers/documents").json()["items"] == []
    assert client.get("/v1/collections/papers").json()["states"] == {}
    assert client.get(f"/v1/collections/papers/documents/{document}").status_code == 404
    assert gateway.memberships("papers") == []
    kept = client.get(f"/v1/collections/others/documents/{document}/chunks")
    assert kept.status_code == 200, kept.text
    assert {one.collection for one in gateway.catalog.reviewables("uncertain", 50)} <= {"others"}
    gateway.add("papers", done=False)
    again = client.get(f"/v1/collections/papers/documents/{document}").json()
    assert (again["state"], len(again["stages"])) == ("done", 4), "what other shelves had made is found made"


def test_a_document_that_was_called_off_is_not_so_for_ever(gateway: Gateway, client: httpx.Client) -> None:
    document = gateway.add("papers", done=False)
    gateway.add("others", done=False)
    job = client.get(f"/v1/collections/papers/documents/{document}").json()["job"]
    client.post(f"/v1/jobs/{job}/cancel")
    assert client.delete(f"/v1/collections/papers/documents/{document}").status_code == 204
    gateway.add("papers", done=False)
    assert client.get(f"/v1/collections/papers/documents/{document}").json()["state"] == "queued"

"""What a change of settings costs, said before it is made."""

import httpx
import pytest

from tests.api.conftest import PDF, Gateway

SHELF = "/v1/collections/papers"


@pytest.fixture
def shelf(gateway: Gateway, client: httpx.Client) -> Gateway:
    client.put(SHELF, json={})
    for at in range(3):
        gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf")
    return gateway


def test_only_what_depends_on_the_change_is_counted_and_then_done(shelf: Gateway, client: httpx.Client) -> None:
    change = {"chunking": {"max_tokens": 64}}
    told = client.patch(SHELF, params={"dry_run": True}, json=change).json()
    assert told == client.post(f"{SHELF}/estimate", json=change).json()
    assert (told["changed"], told["documents"], told["documents_in_all"], told["pages"]) == (["chunking.max_tokens"], 3, 3, 3)
    assert [(one["stage"], one["documents"], one["pages"], one["measured"]) for one in told["stages"]] == [
        ("chunking", 3, 3, 3), ("screening", 3, 3, 3)
    ]  # fmt: skip
    assert client.get(SHELF).json()["parameters"]["chunking"]["max_tokens"] == 256, "nothing was changed"
    before = {stage: manifests(shelf, stage) for stage in ("extraction", "cleaning", "chunking", "screening")}
    shelf.await_job(client.patch(SHELF, json=change))
    for document in client.get(f"{SHELF}/documents").json()["items"]:
        shelf.workers.run(document["job"])
    after = {stage: manifests(shelf, stage) for stage in before}
    assert {stage: after[stage] - before[stage] for stage in before} == {
        "extraction": 0, "cleaning": 0, "chunking": 3, "screening": 3
    }  # fmt: skip


def manifests(gateway: Gateway, stage: str) -> int:
    return sum(path.endswith("/manifest.json") for path in gateway.store.list(f"stages/{stage}"))


def test_settings_that_were_in_force_before_cost_nothing_to_go_back_to(shelf: Gateway, client: httpx.Client) -> None:
    shelf.await_job(client.patch(SHELF, json={"chunking": {"max_tokens": 64}}))
    for document in client.get(f"{SHELF}/documents").json()["items"]:
        shelf.workers.run(document["job"])
    told = client.post(f"{SHELF}/estimate", json={"chunking": {"max_tokens": None}}).json()
    assert (told["documents"], told["seconds"]) == (0, 0.0)
    assert [(one["stage"], one["standing"]) for one in told["stages"]] == [("chunking", 3), ("screening", 3)]


def test_what_nobody_measured_is_not_estimated(gateway: Gateway, client: httpx.Client) -> None:
    client.put(SHELF, json={})
    gateway.add(done=False)
    told = client.post(f"{SHELF}/estimate", json={"extraction": {"max_pages": 9}}).json()
    assert (told["documents"], told["pages"], told["seconds"]) == (1, 0, None)
    assert told["stages"][0]["pages_unknown"] == 1
    assert "measured" in told["basis"] and "extraction" in told["basis"]


def test_a_change_of_nothing_and_a_wrong_change_are_told(shelf: Gateway, client: httpx.Client) -> None:
    told = client.post(f"{SHELF}/estimate", json={}).json()
    assert (told["changed"], told["documents"], told["stages"]) == ([], 0, [])
    assert client.post(f"{SHELF}/estimate", json={"chunking": {"max_tokens": 1}}).status_code == 422
    assert client.post("/v1/collections/none/estimate", json={}).status_code == 404


def test_a_tagger_or_tokenizer_that_is_not_there_is_refused_before_a_document_meets_it(
    shelf: Gateway, client: httpx.Client
) -> None:
    before = client.get(SHELF).json()["parameters"]
    for change, named in (
        ({"cleaning": {"tagger": "nosuch"}}, "lectern cleaner publish"), ({"chunking": {"tokenizer": "nosuch"}}, "publish_base")
    ):  # fmt: skip
        refused = client.patch(SHELF, json=change)
        assert (refused.status_code, named in refused.json()["detail"]) == (404, True)
    assert client.get(SHELF).json()["parameters"] == before
    assert client.patch(SHELF, json={"cleaning": {"tagger": "rules"}}).status_code == 202

"""Preference sets: built from feedback or files, split by prompt, named by content, forgotten with their documents."""

import json
from pathlib import Path

import httpx

from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import Slice
from shared.catalog.sql import SqlCatalog
from shared.reindex import reindex
from tests.api.conftest import Gateway


def row(at: int, **also: object) -> dict[str, object]:
    return {"prompt": f"Question {at}?", "chosen": f"Answer {at}.", "rejected": f"Nonsense {at}.", **also}


def upload(client: httpx.Client, rows: list[object], name: str = "pairs", **query: object) -> httpx.Response:
    body = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows)
    params = {"name": name, "filename": "../of/pairs.jsonl", **query}
    return client.post("/v1/preferences/upload", params=params, content=body.encode())  # type: ignore[arg-type]


def lines(client: httpx.Client, preferences: str, split: str) -> list[dict[str, object]]:
    answer = client.get(f"/v1/preferences/{preferences}/download", params={"split": split})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.content.splitlines()]


def test_feedback_becomes_a_set_that_later_feedback_does_not_change(client: httpx.Client) -> None:
    asked = {"prompt": "When is the gauge read?", "mode": "chat", "model": "m"}
    ids = [
        client.post("/v1/feedback", json=asked | told).json()["id"]
        for told in ({"answer": "At dawn.", "rating": "up"}, {"answer": "Never.", "rating": "down"})
    ]
    first = client.post("/v1/preferences", json={"name": "thumbs"})
    assert first.status_code == 201, first.text
    made = first.json()
    assert (made["pairs"], made["heldout"], made["source"], made["version"]) == (1, 0, "feedback", 1)
    [pair] = lines(client, made["id"], "train")
    assert (pair["chosen"], pair["rejected"], pair["feedback"]) == ("At dawn.", "Never.", ids)
    assert client.post("/v1/preferences", json={"name": "thumbs"}).status_code == 200
    client.post("/v1/feedback", json=asked | {"answer": "Now.", "rating": "down", "correction": "At dawn, daily."})
    second = client.post("/v1/preferences", json={"name": "thumbs"}).json()
    assert (second["version"], second["sources"]) == (2, {"correction": 1, "ratings": 2})
    assert len(lines(client, made["id"], "train")) == 1
    assert [one["id"] for one in client.get("/v1/preferences").json()["items"]] == [second["id"], made["id"]]
    refused = client.post("/v1/preferences", json={"name": "others", "model": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "no-preferences")


def test_rows_of_a_file_that_are_no_pair_are_counted_by_reason(client: httpx.Client) -> None:
    rows: list[object] = [
        row(1), row(1), row(2, mode="completion", column="of somebody else's"), "{", "[1]", {"prompt": "p", "chosen": "c"},
        row(3, chosen=" "), row(4, rejected="Answer 4. "), row(5, prompt="p" * 8_001), "x" * (2 << 20), row(6, chosen=6),
        row(7, evidence=["no document"]), '{"prompt": "\\ud800", "chosen": "c", "rejected": "r"}', "[" * 100_000, "",
    ]  # fmt: skip
    answer = upload(client, rows, heldout_share=0)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["pairs"], made["filename"], made["untraced"]) == (2, "pairs.jsonl", 2)
    assert made["refused"] == {
        "empty": 1, "not-a-pair": 5, "not-json": 2, "repeated": 1, "same-answers": 1, "too-long": 2,
    }  # fmt: skip
    assert [one["mode"] for one in lines(client, made["id"], "train")] == ["chat", "completion"]


def test_a_file_without_a_pair_is_refused_and_leaves_nothing(gateway: Gateway, client: httpx.Client) -> None:
    for rows in ([], ["nonsense"]):
        answer = upload(client, rows)
        assert (answer.status_code, answer.json()["code"]) == (422, "no-preferences"), answer.text
    assert upload(client, [row(1)], name="No Name").status_code == 422
    assert upload(client, ["x" * (1 << 20)] * 13).status_code == 413
    assert [*gateway.store.list("preferences"), *gateway.store.list("preference-pairs"), *gateway.uploads()] == []


def test_no_prompt_is_trained_on_and_held_out(client: httpx.Client) -> None:
    rows: list[object] = [row(at % 20, chosen=f"Answer {at}.") for at in range(60)]
    made = upload(client, rows, heldout_share=0.25).json()
    train, heldout = (lines(client, made["id"], split) for split in ("train", "heldout"))
    assert (len(train), len(heldout), made["prompts"]) == (made["pairs"], made["heldout"], 20) == (45, 15, 20)
    assert not {str(one["prompt"]) for one in train} & {str(one["prompt"]) for one in heldout}
    shuffled = upload(client, rows[::-1], name="other", heldout_share=0.25)
    assert (shuffled.status_code, shuffled.json()["id"]) == (200, made["id"])
    assert upload(client, rows, heldout_share=0.25, seed=18).json()["id"] != made["id"]


def test_sets_are_rebuilt_from_the_store(gateway: Gateway, client: httpx.Client, tmp_path: Path) -> None:
    upload(client, [row(1), row(2)])
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    again = SqlCatalog(open_database(url))
    assert reindex(gateway.store, again)["preference sets"] == 1
    assert again.preference_sets(Slice(9)) == gateway.catalog.preference_sets(Slice(9)) != []


def test_reading_alone_lets_nobody_build_one(gateway: Gateway) -> None:
    with gateway.client("read") as reader:
        assert reader.post("/v1/preferences", json={"name": "thumbs"}).status_code == 403
        assert upload(reader, [row(1)]).status_code == 403
        assert reader.get("/v1/preferences/0123456789abcdef").status_code == 404


def test_pairs_are_forgotten_with_the_document_that_they_show(gateway: Gateway, client: httpx.Client, tmp_path: Path) -> None:
    document = gateway.add()
    made = upload(client, [row(at, **({"evidence": [document]} if at % 2 else {})) for at in range(10)]).json()
    other = upload(client, [row(99)], name="other").json()
    answer = client.post(f"/v1/documents/{document}/forget", json={"confirm": document})
    assert gateway.await_job(answer).state == "done"
    receipt = client.get(f"/v1/forgotten/{document}").json()["receipt"]
    [trace] = receipt["uses"]["preferences"]
    assert (trace["set"], trace["train"] + trace["heldout"]) == (made["id"], 5)
    assert receipt["redacted"] == {made["id"]: 5}
    assert set(receipt["uses"]["untraced_preferences"]) == {made["id"], other["id"]}
    left = client.get(f"/v1/preferences/{made['id']}").json()
    kept = [one for split in ("train", "heldout") for one in lines(client, made["id"], split)]
    assert (left["pairs"] + left["heldout"], len(kept), left["redactions"]) == (5, 5, [document])
    named = {file["path"] for file in left["files"].values()}
    assert set(gateway.store.list(f"preference-pairs/{made['id']}")) == named
    assert all(b"Answer 1." not in gateway.store.read(path) for path in gateway.store.list("preference-pairs"))
    assert upload(client, [row(1, evidence=[document])]).status_code == 410
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    again = SqlCatalog(open_database(url))
    reindex(gateway.store, again)
    assert again.preference_set(made["id"]) == gateway.catalog.preference_set(made["id"])

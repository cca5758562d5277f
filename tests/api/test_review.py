"""The feedback loop: what reviewers are shown, what they say, what is learned from it, and what comes of it."""

import random
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.cleaning import handlers
from shared.bases import publish_base
from shared.contracts.documents import Chunk, ChunkingResult, CleaningResult, GarbageItem, Span
from shared.ids import document_job
from shared.reindex import reindex
from shared.retraining import Retraining
from shared.reviews import Reviews
from shared.stage import StageContext
from tests.api.conftest import BASE, PDF, Gateway
from tests.servers import wait_until

WORDS = ["gauge", "tide", "pier", "water", "warden", "staff", "level", "harbour", "winter", "reading", "zero", "tube"]
SETTINGS = {"chunking": {"tokenizer": BASE, "max_tokens": 64}}


def good(lot: random.Random) -> str:
    return (
        f"The {lot.choice(WORDS)} of the {lot.choice(WORDS)} is {lot.randint(2, 900)} mm above the {lot.choice(WORDS)} today."
    )


def bad(lot: random.Random) -> str:
    return " ".join("".join(lot.choice("~|^_=+*#<>/\\{}0123456789xz;:") for _ in range(lot.randint(2, 7))) for _ in range(12))


def is_garbage(text: str) -> bool:
    return "gauge" not in text and not text.startswith("The ")


def clean(context: StageContext[Any]) -> CleaningResult:
    """Rules that are wrong half of the time about what they set aside."""
    document = context.work.document
    lot = random.Random(f"garbage {document}")
    items = [
        GarbageItem(
            id=f"g{document[:8]}{at:03d}", document=document, text=bad(lot) if at % 2 else f"{good(lot)} {good(lot)}",
            reason="symbol-noise", score=0.4, threshold=0.5, page=1, box=None,
        )
        for at in range(60)
    ]  # fmt: skip
    (context.out / "garbage.jsonl").write_text("".join(item.model_dump_json() + "\n" for item in items))
    return CleaningResult(pieces=1, characters_in=40, characters_kept=30, dropped={}, garbage={"symbol-noise": len(items)})


def chunk(context: StageContext[Any]) -> ChunkingResult:
    """Chunks one in six of which is garbage that no rule knew."""
    document = context.work.document
    lot = random.Random(f"chunks {document}")
    with (context.out / "chunks.jsonl").open("w") as lines:
        for at in range(60):
            text = bad(lot) if at % 6 == 0 else f"{good(lot)} {good(lot)}"
            spans = (Span(page=1 + at // 10, box=(1.0, 2.0, 3.0, 4.0), start=0, end=len(text)),)
            name = f"c{document[:8]}{at:03d}"
            made = Chunk(id=name, document=document, index=at, text=text, tokens=9, section=("Tides",), spans=spans)
            lines.write(made.model_dump_json() + "\n")
    return ChunkingResult(chunks=60, tokens=540, over_budget=0)


@pytest.fixture
def shelf(gateway: Gateway, client: httpx.Client, tmp_path: Any) -> list[str]:
    """Three documents, screened by the rules alone."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    (tmp_path / "tokenizer").mkdir()
    tokenizer.save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    directory = tmp_path / "tokenizer"
    publish_base(gateway.store, directory, name=BASE, source="t", licence="none", architecture="none", eos_token="")
    gateway.workers.own = {"cleaning": clean, "chunking": chunk, "dataset": handlers.handlers()["dataset"]}
    client.put("/v1/collections/papers", json=SETTINGS)
    return [gateway.add(content=PDF + bytes([at])) for at in range(3)]


def queue(client: httpx.Client, limit: int = 50, **query: Any) -> list[dict[str, Any]]:
    """The whole of the list by uncertainty."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {"order": "uncertainty", "limit": limit, **query, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/garbage", params=asked)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        if (cursor := page.json()["next_cursor"]) is None:
            return found


def say(client: httpx.Client, items: list[dict[str, Any]], verdict: str | None = None) -> httpx.Response:
    """Label items by the truth, or all alike."""
    labels = [
        {
            "document": item["document"], "item": item["id"],
            "verdict": verdict or ("garbage" if is_garbage(item["text"]) else "good"),
        }
        for item in items
    ]  # fmt: skip
    return client.post("/v1/garbage/labels", json={"labels": labels})


def retraining(gateway: Gateway, labels: int = 50) -> Retraining:
    return Retraining(Reviews(gateway.parts.records), labels)


def dataset_texts(gateway: Gateway, client: httpx.Client, name: str) -> str:
    asked = client.post("/v1/datasets", json={"name": name, "collection": "papers"})
    assert asked.status_code in (200, 202), asked.text
    assert gateway.workers.run(asked.json()["job"]) == "done"
    parts = [client.get(f"/v1/datasets/{asked.json()['id']}/download?split={split}").text for split in ("train", "heldout")]
    return "".join(parts)


def test_the_list_by_uncertainty_holds_every_text_once_and_a_share_drawn_by_lot(shelf: list[str], client: httpx.Client) -> None:
    found = queue(client, limit=7)
    assert len(found) == len({item["id"] for item in found}) == 360
    assert {item["decision"] for item in found} == {"kept", "set-aside"}
    drawn = [at for at, item in enumerate(found) if item["why"] == "random"]
    assert 36 < len(drawn) < 110 and drawn[0] < 5
    assert queue(client, limit=50) == found


def test_the_default_order_stays(shelf: list[str], client: httpx.Client) -> None:
    page = client.get("/v1/garbage", params={"limit": 200}).json()
    assert {item["document"] for item in page["items"]} == set(shelf)
    assert len(page["items"]) == 180 and "decision" not in page["items"][0]
    assert client.get("/v1/garbage", params={"order": "uncertainty", "document": shelf[0]}).status_code == 422


def test_a_label_is_a_fact_that_the_reviewers_name_stands_on(gateway: Gateway, shelf: list[str], client: httpx.Client) -> None:
    item = queue(client, limit=3)[0]
    with gateway.reviewer("ada", "write") as ada:
        made = say(ada, [item], "good")
        assert made.status_code == 201, made.text
        label = made.json()["items"][0]["label"]
        assert (label["reviewer"], label["text"], label["verdict"]) == ("ada", item["text"], "good")
        assert list(gateway.store.list(f"labels/{item['document']}")) == [f"labels/{item['document']}/00000001.json"]
        assert item["id"] not in {one["id"] for one in queue(client)} or item["why"] == "random"
        say(ada, [item], "withdrawn")
        assert item["id"] in {one["id"] for one in queue(ada)}
        assert len(list(gateway.store.list(f"labels/{item['document']}"))) == 2
        told = ada.get("/v1/garbage/labels").json()["items"]
        assert [(one["sequence"], one["label"]["verdict"]) for one in told] == [(2, "withdrawn")]
    with gateway.client("read") as reader:
        assert say(reader, [item]).status_code == 403


def test_a_label_of_nothing_is_refused_and_writes_nothing(gateway: Gateway, shelf: list[str], client: httpx.Client) -> None:
    item = queue(client, limit=3)[0]
    refused = say(client, [item, {**item, "id": "none"}], "good")
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    assert "order=uncertainty" in refused.json()["detail"]
    assert list(gateway.store.list("labels")) == []
    assert client.post("/v1/garbage/labels", json={"labels": []}).status_code == 422


def test_what_is_drawn_by_lot_comes_to_two_reviewers_and_their_agreement_is_told(
    gateway: Gateway, shelf: list[str], client: httpx.Client
) -> None:
    with gateway.reviewer("ada") as ada, gateway.reviewer("ben") as ben:
        drawn = [item for item in queue(ada) if item["why"] == "random"]
        say(ada, drawn)
        assert [item["id"] for item in queue(ben) if item["why"] == "random"] == [item["id"] for item in drawn]
        say(ben, drawn[1:])
        say(ben, drawn[:1], "garbage" if not is_garbage(drawn[0]["text"]) else "good")
        pair = client.get("/v1/garbage/agreement").json()["items"][0]
        assert (pair["reviewers"], pair["texts"]) == (["ada", "ben"], len(drawn))
        assert pair["agreement"] == pytest.approx(1 - 1 / len(drawn), abs=1e-4)
        assert 0.8 < pair["kappa"] < 1
        assert not [item for item in queue(client) if item["why"] == "random"]


def test_wrongly_flagged_text_is_in_the_next_dataset_and_garbage_is_not(
    gateway: Gateway, shelf: list[str], client: httpx.Client
) -> None:
    found = queue(client)
    wrong = next(item for item in found if item["decision"] == "set-aside" and not is_garbage(item["text"]))
    missed = next(item for item in found if item["decision"] == "kept" and is_garbage(item["text"]))
    kept = next(item for item in found if item["decision"] == "kept" and not is_garbage(item["text"]))
    say(client, [missed, kept], "garbage")
    say(client, [wrong], "good")
    inputs = client.post("/v1/datasets", json={"name": "one", "collection": "papers"}).json()["wish"]["inputs"]
    assert sum(one["labels"] for one in inputs) == 3
    for one in inputs:
        assert set(gateway.store.list(f"labels/{one['document']}")) == {
            f"labels/{one['document']}/{at + 1:08d}.json" for at in range(one["labels"])
        }
    told = dataset_texts(gateway, client, "one")
    sentence = kept["text"].split(" today. ")[1]
    assert sentence not in told and missed["text"] not in told
    assert wrong["text"].split(" today. ")[1] in told
    say(client, [kept], "withdrawn")
    assert sentence in dataset_texts(gateway, client, "two")


def test_the_whole_loop_from_labels_to_a_classifier_in_charge(gateway: Gateway, shelf: list[str], client: httpx.Client) -> None:
    sweep = retraining(gateway)
    say(client, queue(client)[:40])
    assert (sweep.is_due(), sweep.sweep()) == (False, 0)
    for start in range(0, 320, 160):
        say(client, queue(client)[start : start + 160])
    while left := queue(client)[:200]:
        say(client, left)
    before = client.get("/v1/review").json()
    assert (before["labels"], before["decided_by"], before["to_next_version"]) == (360, "rules", 0)
    assert sweep.is_due() and sweep.sweep() == 0
    job = client.get("/v1/classifiers").json()["items"][0]["job"]
    assert not sweep.is_due()
    assert gateway.workers.run(job) == "done"

    after = client.get("/v1/review").json()
    version = after["versions"][0]
    assert version["adopted"] and version["in_charge"] and after["decided_by"] == version["id"]
    assert version["after"]["f1"] > version["rules"]["f1"] + 0.2
    assert sweep.sweep() == 1
    assert client.get("/v1/collections/papers").json()["parameters"]["screening"]["classifier"] == version["id"]
    gateway.parts.woken.set()
    last = document_job("papers", max(shelf))
    wait_until(lambda: gateway.catalog.job(last).state == "queued", "the documents to be queued")  # type: ignore[union-attr]
    for document in shelf:
        view = client.get(f"/v1/collections/papers/documents/{document}").json()
        assert (view["state"], view["stage"]) == ("queued", "screening")
        assert gateway.workers.run(document_job("papers", document)) == "done"
    assert sweep.sweep() == 0

    chunks = client.get(f"/v1/collections/papers/documents/{shelf[0]}/chunks").text.splitlines()
    found = [Chunk.model_validate_json(line) for line in chunks]
    assert [one.index for one in found] == list(range(len(found)))
    assert {one.classifier for one in found} == {version["id"]} and {one.decided_by for one in found} == {"classifier"}
    assert sum(one.reason == "symbol-noise" for one in found) > 25
    assert sum(is_garbage(one.text) for one in found) <= 1
    aside = client.get("/v1/garbage", params={"document": shelf[0], "limit": 200}).json()["items"]
    assert sum(item["reason"] == "classifier" for item in aside) >= 9
    assert queue(client) == []

    late = gateway.add(content=PDF + b"late")
    view = client.get(f"/v1/collections/papers/documents/{late}").json()
    screened = next(stage for stage in view["stages"] if stage["stage"] == "screening")["result"]
    assert (screened["decided_by"], screened["classifier"]) == ("classifier", version["id"])
    assert {item["classifier"] for item in queue(client)} == {version["id"]}


def test_a_classifier_that_does_not_beat_the_rules_is_held_back(
    gateway: Gateway, shelf: list[str], client: httpx.Client
) -> None:
    lot = random.Random(5)
    items = queue(client)[:200]
    for start in range(0, len(items), 100):
        labels = [
            {"document": item["document"], "item": item["id"], "verdict": lot.choice(["garbage", "good"])}
            for item in items[start : start + 100]
        ]
        assert client.post("/v1/garbage/labels", json={"labels": labels}).status_code == 201
    asked = client.post("/v1/classifiers")
    assert asked.status_code == 202, asked.text
    assert gateway.workers.run(asked.json()["job"]) == "done"
    told = client.get("/v1/review").json()
    assert (told["decided_by"], told["versions"][0]["in_charge"]) == ("rules", False)
    assert "the rules decide" in told["versions"][0]["why"]
    assert client.post("/v1/classifiers").json()["id"] == told["versions"][0]["id"]


def test_too_few_labels_are_told_plainly(gateway: Gateway, shelf: list[str], client: httpx.Client) -> None:
    nothing = client.post("/v1/classifiers")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")
    say(client, queue(client)[:3], "good")
    asked = client.post("/v1/classifiers").json()
    assert gateway.workers.run(asked["job"]) == "failed"
    found = client.get(f"/v1/classifiers/{asked['id']}").json()
    assert found["code"] == "too-few-labels" and "lectern review" in found["detail"]


def test_the_catalog_made_anew_knows_labels_versions_and_what_to_review(
    gateway: Gateway, shelf: list[str], client: httpx.Client
) -> None:
    say(client, queue(client)[:150])
    gateway.workers.run(client.post("/v1/classifiers").json()["job"])
    paths = ("/v1/review", "/v1/classifiers", "/v1/garbage/labels?limit=200", "/v1/garbage/agreement")
    before = [client.get(path).json() for path in paths], queue(client)
    with gateway.catalog._write() as session:
        from sqlalchemy import delete

        from shared.catalog.tables import ClassifierRow, JobRow, LabelRow, ReviewableRow

        for row in (ClassifierRow, LabelRow, ReviewableRow, JobRow):
            session.execute(delete(row))
    counts = reindex(gateway.store, gateway.catalog)
    assert (counts["labels"], counts["classifiers"]) == (150, 1)
    assert ([client.get(path).json() for path in paths], queue(client)) == before


def test_a_version_can_be_pinned_and_an_unknown_one_is_refused(
    gateway: Gateway, shelf: list[str], client: httpx.Client
) -> None:
    pinned = client.patch("/v1/collections/papers", json={"screening": {"classifier": "0" * 16, "follow": False}})
    assert (pinned.status_code, pinned.json()["code"]) == (404, "not-found")
    say(client, queue(client)[:150])
    asked = client.post("/v1/classifiers").json()
    gateway.workers.run(asked["job"])
    unheard = client.patch("/v1/collections/papers", json={"screening": {"classifier": asked["id"]}})
    assert (unheard.status_code, "screening.follow" in unheard.json()["detail"]) == (422, True), "it would be overruled"
    client.patch("/v1/collections/papers", json={"screening": {"follow": False}})
    assert retraining(gateway).sweep() == 0
    assert client.get("/v1/collections/papers").json()["parameters"]["screening"]["classifier"] is None
    pinned = client.patch("/v1/collections/papers", json={"screening": {"classifier": asked["id"]}})
    assert pinned.json()["parameters"]["screening"] == {"schema_version": 1, "classifier": asked["id"], "follow": False}

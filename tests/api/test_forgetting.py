"""Forgetting a document: what goes, what is said of what saw it, and that nothing is claimed beyond that."""

import hashlib
import io
import json
import re
import sqlite3
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from services.gateway.chores.forgetting import Removal
from services.gateway.chores.kinds import chores
from shared import layout
from shared.catalog.database import migrate, open_database
from shared.catalog.protocol import Slice
from shared.catalog.sql import SqlCatalog
from shared.contracts.documents import ProcessingParameters
from shared.contracts.learning import DatasetInput, DatasetParameters
from shared.contracts.review import ClassifierParameters, ClassifierWish, LabelSource
from shared.contracts.work import ChoreWork, DocumentWork, File, Manifest, PreviewWork
from shared.errors import LeaseHeld
from shared.keys import new_trace
from shared.objects import ObjectStore, create_contract
from shared.pipeline import EXTRACTION, extraction_key
from shared.reindex import reindex
from tests.api.conftest import BASE, PDF, Gateway
from tests.api.shelved import SECRET, Authors, bytes_of_store, dataset_of_shelf, model_of
from tests.servers import wait_until

SECRET_PDF = PDF + SECRET.encode()
OTHER = "The pier is old, and its gauge reads low at every spring tide."


@pytest.fixture
def shelf(gateway: Gateway, base: str) -> Gateway:
    """Three documents, of which the one that comes first in every list holds the secret."""
    secret = hashlib.sha256(SECRET_PDF).hexdigest()
    others = (PDF + bytes(f"{at}", "ascii") for at in range(1000))
    later = (one for one in others if hashlib.sha256(one).hexdigest() > secret)
    gateway.workers = Authors(
        gateway.workers.runner, text=lambda document: SECRET if document == secret else f"{OTHER} {document[:8]}"
    )
    gateway.add(content=SECRET_PDF, filename="secret.pdf")
    gateway.add(content=next(later), filename="one.pdf")
    gateway.add(content=next(later), filename="two.pdf")
    return gateway


def secret_id() -> str:
    return hashlib.sha256(SECRET_PDF).hexdigest()


def forget(gateway: Gateway, client: httpx.Client, why: str = "") -> dict[str, object]:
    answer = client.post(f"/v1/documents/{secret_id()}/forget", json={"confirm": secret_id(), "why": why})
    assert answer.status_code == 202, answer.text
    assert gateway.await_job(answer).state == "done"
    return dict(client.get(f"/v1/forgotten/{secret_id()}").json())


def queued_work(gateway: Gateway) -> DocumentWork:
    job = gateway.catalog.work(f"document.papers.{secret_id()[:16]}")
    assert job is not None and job.state == "queued"
    return DocumentWork.model_validate(job.work)


def where_it_says(gateway: Gateway, needle: str) -> list[str]:
    return sorted(path for path, held in bytes_of_store(gateway).items() if needle.encode() in held)


def test_a_document_used_in_two_models_leaves_nothing_but_what_is_said_of_it(shelf: Gateway, client: httpx.Client) -> None:
    one, two = dataset_of_shelf(shelf, client, "first"), dataset_of_shelf(shelf, client, "second", seed=4)
    models = {model_of(shelf, client, "first-model", one), model_of(shelf, client, "second-model", two)}
    client.post("/v1/deployments", json={"name": "served", "model": "second-model"})
    assert len(where_it_says(shelf, SECRET)) >= 10

    planned = client.post(f"/v1/documents/{secret_id()[:10]}/forget", json={"dry_run": True})
    assert planned.status_code == 200
    assert {one_["model"] for one_ in planned.json()["uses"]["models"]} == models
    assert len(where_it_says(shelf, SECRET)) >= 10, "a dry run removes nothing"

    told = forget(shelf, client, why="the author asked")
    assert where_it_says(shelf, SECRET) == []
    for wish in (one, two):
        for split in ("train", "heldout"):
            content = client.get(f"/v1/datasets/{wish}/download", params={"split": split, "format": "parquet"}).content
            assert secret_id() not in pq.read_table(io.BytesIO(content)).to_pydict()["document"]

    receipt = told["receipt"]
    assert isinstance(receipt, dict)
    assert (told["state"], receipt["state"], receipt["why"]) == ("forgotten", "done", "the author asked")
    seen = receipt["uses"]
    assert {each["dataset"]: each["train"] for each in seen["datasets"]} == {one: 1, two: 1}
    assert {each["model"] for each in seen["models"]} == models and all(each["trained"] for each in seen["models"])
    assert {(each["name"], each["finished"]) for each in seen["runs"]} == {("first-model", True), ("second-model", True)}
    assert [(each["deployment"], each["state"]) for each in seen["deployments"]] == [("served", "running")]
    assert (seen["collections"], seen["filenames"]) == (["papers"], ["secret.pdf"])
    assert receipt["removed"]["source"] == 2 and receipt["removed"]["extraction"] == 3
    assert SECRET not in json.dumps(told)


def test_models_that_saw_it_are_marked_and_others_are_not(shelf: Gateway, client: httpx.Client) -> None:
    old = model_of(shelf, client, "old", dataset_of_shelf(shelf, client, "first"))
    client.post("/v1/deployments", json={"name": "served", "model": "old"})
    forget(shelf, client)
    new = model_of(shelf, client, "new", dataset_of_shelf(shelf, client, "rebuilt"))
    marks = {one["id"]: one["saw_forgotten"] for one in client.get("/v1/tuned-models").json()["items"]}
    assert marks == {old: [secret_id()], new: []}
    assert client.get("/v1/tuned-models/old").json()["saw_forgotten"] == [secret_id()]
    assert client.get("/v1/deployments").json()["items"][0]["saw_forgotten"] == [secret_id()]
    assert client.get("/v1/deployments/served").json()["saw_forgotten"] == [secret_id()]


def test_the_rest_of_a_dataset_still_gives_evidence_but_no_new_model(shelf: Gateway, client: httpx.Client) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    model = model_of(shelf, client, "old", dataset)
    found = client.get(f"/v1/tuned-models/{model}/evidence", params={"text": "heron ledger boathouse"}).json()["items"]
    assert [one["text"] for one in found] == [SECRET]
    forget(shelf, client)
    assert client.get(f"/v1/tuned-models/{model}/evidence", params={"text": "heron ledger"}).json()["items"] == []
    assert client.get(f"/v1/tuned-models/{model}/evidence", params={"text": "spring tide"}).json()["items"]
    view = client.get(f"/v1/datasets/{dataset}").json()
    told = view["stages"][0]["result"]
    assert [told[name] for name in ("documents", "chunks", "train", "heldout", "heldout_documents")] == [2, 2, 1, 1, 1]
    assert (told["recipes"], told["replayed"]) == ({"continuation": 2}, 0), "of the lines that are left"
    refused = client.post("/v1/runs", json={"name": "again", "dataset": dataset, "recipe": {"seed": 3}})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "no longer whole" in refused.json()["detail"]


def test_a_tombstone_keeps_the_document_out_until_an_admin_lifts_it(shelf: Gateway, client: httpx.Client) -> None:
    forget(shelf, client)
    upload = {"url": "/v1/collections/others/documents", "content": SECRET_PDF, "headers": {"Content-Type": "application/pdf"}}
    refused = client.post(**upload)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["code"]) == (410, "forgotten")
    assert f"/v1/forgotten/{secret_id()}" in refused.json()["detail"] and "--lift" in refused.json()["detail"]
    assert shelf.uploads() == [] or all("#" not in path for path in shelf.uploads())
    assert where_it_says(shelf, SECRET) == []
    with shelf.client("write") as writer:
        assert writer.delete(f"/v1/forgotten/{secret_id()}").status_code == 403
    assert client.delete(f"/v1/forgotten/{secret_id()}").json()["state"] == "lifted"
    assert client.post(**upload).status_code == 202  # type: ignore[arg-type]
    assert client.get("/v1/forgotten").json()["items"][0]["receipt"]["state"] == "done"


def test_a_form_with_a_forgotten_document_in_it_is_taken_in_not_at_all(shelf: Gateway, client: httpx.Client) -> None:
    forget(shelf, client)
    files = [("file", ("new.pdf", PDF + b"new")), ("file", ("secret.pdf", SECRET_PDF))]
    assert client.post("/v1/collections/forms/documents", files=files).status_code == 410
    assert client.get("/v1/collections/forms").status_code == 404


def test_forgetting_needs_an_admin_and_the_whole_id_again(shelf: Gateway, client: httpx.Client) -> None:
    path = f"/v1/documents/{secret_id()}/forget"
    with shelf.client("write") as writer:
        assert writer.post(path, json={"confirm": secret_id()}).status_code == 403
    refused = client.post(path, json={"confirm": secret_id()[:12]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")
    assert secret_id() in refused.json()["detail"]
    assert client.post(f"/v1/documents/{'0' * 64}/forget", json={"confirm": "0" * 64}).status_code == 404
    assert client.get(f"/v1/forgotten/{secret_id()}").status_code == 404


def test_every_setting_it_was_ever_read_under_is_removed(shelf: Gateway, client: httpx.Client) -> None:
    shelf.await_job(client.patch("/v1/collections/papers", json={"chunking": {"max_tokens": 64}}))
    shelf.workers.run(f"document.papers.{secret_id()[:16]}")
    shelf.await_job(client.patch("/v1/collections/papers", json={"extraction": {"max_pages": 9}}))
    assert len([path for path in where_it_says(shelf, SECRET) if path.endswith("chunks.jsonl")]) == 4
    forget(shelf, client)
    assert where_it_says(shelf, SECRET) == []
    assert where_it_says(shelf, secret_id()[:16]) == where_it_says(shelf, secret_id()), "only its whole id is written down"


def test_what_killed_workers_and_uploads_left_goes_too(shelf: Gateway, client: httpx.Client) -> None:
    key = extraction_key(secret_id(), ProcessingParameters())
    superseded = "0" * 64
    for path in (
        layout.attempt_file("extraction", key, layout.attempt(secret_id(), "dead"), "document.mmd"),
        layout.attempt_file("extraction", superseded, layout.attempt(secret_id(), "dead"), "document.mmd"),
        f"{layout.kept('extraction', superseded)}/{secret_id()[:16]}/pages-0.jsonl",
        f"labels/{secret_id()}/00000001.json",
    ):
        shelf.store.create(path, SECRET.encode())
    shelf.store.create(layout.upload("broken-off"), SECRET_PDF)
    forget(shelf, client)
    assert where_it_says(shelf, SECRET) == []


@pytest.mark.parametrize("deletions", [0, 1, 4, 10, 11, 12, 15])
def test_a_forgetting_that_was_cut_short_anywhere_is_gone_on_with(
    shelf: Gateway, client: httpx.Client, deletions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of_shelf(shelf, client, "first")
    model = model_of(shelf, client, "old", dataset)
    left, delete = [deletions], shelf.store.delete

    def failing(path: str) -> None:
        if left[0] == 0:
            raise ConnectionError("killed here")
        left[0] -= 1
        delete(path)

    # Killed once: what follows is another gateway's loop, over the same objects.
    monkeypatch.setattr(shelf.store, "delete", failing)
    monkeypatch.setattr("services.gateway.chores.sweep.RETRY_SECONDS", 0.0)
    answer = client.post(f"/v1/documents/{secret_id()}/forget", json={"confirm": secret_id()})
    job = answer.json()["job"]
    wait_until(lambda: shelf.catalog.job(job).state == "waiting", "the chore to fail")  # type: ignore[union-attr]
    monkeypatch.setattr(shelf.store, "delete", delete)
    shelf.parts.woken.set()
    assert shelf.await_job(answer).state == "done"
    assert where_it_says(shelf, SECRET) == []
    receipt = client.get(f"/v1/forgotten/{secret_id()}").json()["receipt"]
    assert [one["model"] for one in receipt["uses"]["models"]] == [model]
    assert receipt["uses"]["datasets"][0]["train"] == 1, "what was found first is what the receipt says"
    assert client.get(f"/v1/datasets/{dataset}/download").status_code == 200


def test_a_worker_at_the_document_is_called_off_and_waited_for(
    shelf: Gateway, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.chores.sweep.RETRY_SECONDS", 0.0)
    shelf.await_job(client.patch("/v1/collections/papers", json={"extraction": {"max_pages": 9}}))
    with shelf.parts.leases.hold(EXTRACTION.key(queued_work(shelf))):
        answer = client.post(f"/v1/documents/{secret_id()}/forget", json={"confirm": secret_id()})
        work = ChoreWork(job="x", trace=new_trace(), chore="forget", subject=secret_id())
        with pytest.raises(LeaseHeld):
            Removal(shelf.parts.records, shelf.parts.leases).run(work, lambda done, total, unit: None)
        assert where_it_says(shelf, SECRET), "nothing is removed while a worker may still write"
        assert client.delete(f"/v1/forgotten/{secret_id()}").status_code == 409
        wait_until(lambda: shelf.catalog.job(answer.json()["job"]).state == "waiting", "the chore to wait")  # type: ignore[union-attr]
    shelf.parts.woken.set()
    assert shelf.await_job(answer).state == "done"
    assert where_it_says(shelf, SECRET) == []


def test_a_result_made_meanwhile_is_not_committed(shelf: Gateway, client: httpx.Client) -> None:
    shelf.await_job(client.patch("/v1/collections/papers", json={"extraction": {"max_pages": 9}}))
    work = queued_work(shelf)

    def late(context: object) -> object:
        forget(shelf, client)
        return shelf.workers._extract(context)  # type: ignore[arg-type]

    held = shelf.workers.runner.leases
    object.__setattr__(shelf.workers.runner, "leases", NoLeases())
    assert shelf.workers.runner.run(EXTRACTION, work, late) == "dead"  # type: ignore[arg-type]
    object.__setattr__(shelf.workers.runner, "leases", held)
    assert where_it_says(shelf, SECRET) == []


class NoLeases:
    """A lease that was lost: nobody else sees that somebody is at work."""

    def hold(self, key: str) -> object:
        return nullcontext()


def test_a_rebuilt_catalog_keeps_tombstones_receipts_and_marks(shelf: Gateway, client: httpx.Client, tmp_path: object) -> None:
    model = model_of(shelf, client, "old", dataset_of_shelf(shelf, client, "first"))
    forget(shelf, client)
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    catalog = SqlCatalog(open_database(url))
    assert reindex(shelf.store, catalog)["forgotten"] == 1
    assert catalog.forgotten(secret_id()) == shelf.catalog.forgotten(secret_id())
    assert catalog.saw_forgotten("model", [model]) == {model: (secret_id(),)}
    assert {one.filename for one in catalog.documents(Slice())} == {"one.pdf", "two.pdf"}


def test_a_rebuilt_catalog_goes_on_with_a_forgetting_that_was_asked_for(
    shelf: Gateway, client: httpx.Client, tmp_path: object
) -> None:
    answer = client.post(f"/v1/documents/{secret_id()}/forget", json={"confirm": secret_id()})
    job = shelf.await_job(answer)
    receipts: ObjectStore = shelf.store
    receipts.delete(f"{layout.receipts(secret_id())}/00000002.json")
    url = f"sqlite:///{tmp_path}/again.db"
    migrate(url)
    catalog = SqlCatalog(open_database(url))
    reindex(shelf.store, catalog)
    assert [one.id for one in catalog.chores()] == [job.id]
    assert chores(replace(shelf.parts, catalog=catalog)).sweep() == 1
    found = catalog.forgotten(secret_id())
    assert found is not None and found.state == "forgotten"


def test_the_catalog_holds_no_row_of_it_any_more(shelf: Gateway, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/pdf"}
    client.post("/v1/collections/papers/documents", content=SECRET_PDF, headers=headers)
    forget(shelf, client)
    path = shelf.parts.settings.catalog_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = Path(path).read_bytes()
    assert SECRET.encode() not in held, "the title that chunking told of is text too"
    assert not re.search(rb"document\.papers\." + secret_id()[:16].encode(), held)


def test_copies_replayed_in_later_datasets_go_and_are_told_of(shelf: Gateway, client: httpx.Client) -> None:
    first = dataset_of_shelf(shelf, client, "first")
    for at in range(2):
        shelf.add("others", content=PDF + f"other {at}".encode())
    later = dataset_of_shelf(shelf, client, "later", "others", replay={"datasets": [first]})
    model = model_of(shelf, client, "later-model", later)
    uses = client.get(f"/v1/documents/{secret_id()}/uses").json()
    assert {one["dataset"]: one["inputs"] for one in uses["datasets"]} == {first: True, later: False}
    receipt = forget(shelf, client)["receipt"]
    assert isinstance(receipt, dict)
    assert [(one["model"], one["trained"]) for one in receipt["uses"]["models"]] == [(model, True)]
    assert where_it_says(shelf, SECRET) == []


def test_a_preview_that_may_show_it_goes_as_a_whole_and_others_stay(shelf: Gateway, client: httpx.Client) -> None:
    of_another_release = {"inputs": [], "colour": "blue"}
    put_preview(shelf, "5" * 64, preview_of(secret_id()))
    put_preview(shelf, "6" * 64, of_another_release)
    put_preview(shelf, "7" * 64, preview_of("e" * 64))
    forget(shelf, client)
    assert {path.split("/")[2] for path in shelf.store.list("stages/preview")} == {"7" * 64}


def preview_of(document: str) -> dict[str, object]:
    one = DatasetInput(document=document, filename="f.pdf", screening_key="k")
    work = PreviewWork(
        job="preview.x", trace="t", base=BASE, parameters=DatasetParameters(), inputs=(one,), of_documents=1, examples=1
    )
    return work.model_dump(mode="json")


def put_preview(shelf: Gateway, key: str, work: dict[str, object]) -> None:
    path = f"stages/preview/{key}/a/preview.json"
    shelf.store.create(path, SECRET.encode())
    manifest = Manifest(
        stage="preview", stage_version=1, key=key, work=work,
        files={"preview.json": File(path=path, size_bytes=1, sha256="0")}, started_at="t", finished_at="t", seconds=0,
    )  # fmt: skip
    create_contract(shelf.store, layout.manifest("preview", key), manifest)


def test_labels_of_it_go_and_classifiers_that_learned_from_them_are_told_of(shelf: Gateway, client: httpx.Client) -> None:
    source = LabelSource(document=secret_id(), labels=1)
    wish = ClassifierWish(key="6" * 64, parameters=ClassifierParameters(), labels=(source,), created_at="t")
    create_contract(shelf.store, layout.classifier("6" * 16), wish)
    shelf.store.create(f"{layout.labels(secret_id())}/00000001.json", SECRET.encode())
    receipt = forget(shelf, client)["receipt"]
    assert isinstance(receipt, dict)
    assert (receipt["uses"]["classifiers"], receipt["removed"]["labels"]) == (["6" * 16], 1)
    assert where_it_says(shelf, SECRET) == []

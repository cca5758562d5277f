"""Datasets, runs, models and deployments: asked for, made, listed, downloaded, and traced back to their pages."""

import hashlib
from typing import Any

import httpx
import pytest

from services.gateway.chores.forgetting import paths_of
from shared.contracts.work import RunWork
from shared.keys import digest
from shared.reindex import reindex
from tests.api.conftest import PDF, Gateway


@pytest.fixture
def dataset(gateway: Gateway, client: httpx.Client, base: str) -> str:
    """Of three documents, and done."""
    texts = iter(
        ("Tide gauges drift when their zero is lost.", "Penguins breed on the ice shelf.", "Held out of training entirely.")
    )
    for text, content in zip(texts, sorted((PDF + bytes([at]) for at in range(3)), key=_id), strict=True):
        gateway.workers.text = lambda _, text=text: text
        gateway.add(content=content, filename=f"{text.split()[0]}.pdf")
    asked = client.post("/v1/datasets", json={"name": "papers-1", "collection": "papers"})
    assert asked.status_code == 202, asked.text
    assert gateway.workers.run(asked.json()["job"]) == "done"
    found: str = asked.json()["id"]
    return found


def _id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def run(gateway: Gateway, client: httpx.Client, dataset: str) -> dict[str, Any]:
    asked = client.post("/v1/runs", json={"name": "papers", "dataset": dataset, "recipe": {"max_steps": 4}})
    assert asked.status_code == 202, asked.text
    assert asked.headers["location"] == f"/v1/runs/{asked.json()['id']}"
    assert asked.headers["link"] == f'</v1/jobs/{asked.json()["job"]}>; rel="monitor"'
    assert gateway.workers.run(asked.json()["job"]) == "done"
    found: dict[str, Any] = client.get(f"/v1/runs/{asked.json()['id']}").json()
    return found


def test_a_dataset_is_made_of_the_documents_that_are_done(gateway: Gateway, client: httpx.Client, dataset: str) -> None:
    gateway.add(content=PDF + b"unfinished", done=False)
    found = client.get(f"/v1/datasets/{dataset}").json()
    assert (found["state"], len(found["wish"]["inputs"]), found["wish"]["base"]) == ("done", 3, "tiny-base")
    again = client.post("/v1/datasets", json={"name": "papers-1", "collection": "papers"})
    assert (again.status_code, again.json()["id"]) == (200, dataset)
    assert [one["id"] for one in client.get("/v1/datasets").json()["items"]] == [dataset]


def test_a_dataset_is_downloaded_by_split_and_format(client: httpx.Client, dataset: str) -> None:
    path = f"/v1/datasets/{dataset}/download"
    assert len(client.get(path).text.splitlines()) == 2
    assert len(client.get(path, params={"split": "heldout"}).text.splitlines()) == 1
    parquet = client.get(path, params={"split": "heldout", "format": "parquet"})
    assert (parquet.content, parquet.headers["content-type"]) == (b"PAR1held", "application/vnd.apache.parquet")
    assert 'filename="papers-1-heldout.parquet"' in parquet.headers["content-disposition"]
    assert client.get(path, params={"format": "csv"}).status_code == 422


def test_the_datasets_of_a_name_are_numbered_and_each_is_for_ever(gateway: Gateway, client: httpx.Client, dataset: str) -> None:
    def ask(**parameters: Any) -> dict[str, Any]:
        asked = {"name": "papers-1", "collection": "papers", "parameters": parameters}
        found: dict[str, Any] = client.post("/v1/datasets", json=asked).json()
        return found

    second = ask(seed=18)
    again, other = ask(seed=18), client.post("/v1/datasets", json={"name": "other", "collection": "papers"}).json()

    assert client.get(f"/v1/datasets/{dataset}").json()["wish"]["version"] == 1
    assert (second["wish"]["version"], again["id"]) == (2, second["id"])
    assert (other["id"], other["wish"]["name"], ask(seed=19)["wish"]["version"]) == (dataset, "papers-1", 3)
    reindex(gateway.store, gateway.catalog)
    assert client.get(f"/v1/datasets/{second['id']}").json()["wish"] == second["wish"]


def test_a_card_is_read_once_there_is_one(gateway: Gateway, client: httpx.Client, dataset: str) -> None:
    found = client.get(f"/v1/datasets/{dataset}/card")
    assert found.text.startswith("---\nlicense: other") and found.headers["content-type"].startswith("text/markdown")
    waiting = client.post("/v1/datasets", json={"name": "d", "collection": "papers", "parameters": {"seed": 3}}).json()["id"]
    assert client.get(f"/v1/datasets/{waiting}/card").json()["code"] == "not-ready"
    assert client.get(f"/v1/datasets/{dataset}/download", params={"split": "duplicates"}).text == ""
    path, wanted = f"/v1/datasets/{dataset}/download", {"split": "chunks", "format": "parquet"}
    assert client.get(path, params=wanted).status_code == 404


def test_a_preview_shows_examples_and_leaves_no_dataset(gateway: Gateway, client: httpx.Client, base: str) -> None:
    gateway.workers.text = lambda _: "The gauge reads low."
    document = gateway.add()
    asked = client.post("/v1/datasets/preview", json={"collection": "papers", "documents": 1})
    assert (asked.status_code, asked.json()["preview"]) == (202, None)
    assert asked.headers["link"] == f'</v1/jobs/{asked.json()["job"]}>; rel="monitor"'
    assert gateway.workers.run(asked.json()["job"]) == "done"

    found = client.get(asked.headers["location"]).json()
    assert (found["state"], found["preview"]["examples"][0]["answer"]) == ("done", "The gauge reads low.")
    assert client.post("/v1/datasets/preview", json={"collection": "papers", "documents": 1}).status_code == 200
    assert client.get("/v1/datasets").json()["items"] == []
    assert client.get("/v1/datasets/previews/" + "0" * 16).status_code == 404
    assert any(kind == "previews" for kind, _ in paths_of(gateway.store, gateway.catalog, document))


def test_only_a_dataset_that_is_done_is_replayed(gateway: Gateway, client: httpx.Client, dataset: str) -> None:
    def ask(earlier: str) -> httpx.Response:
        parameters = {"replay": {"datasets": [earlier], "share": 0.1}}
        return client.post("/v1/datasets", json={"name": "d", "collection": "papers", "parameters": parameters})

    assert (ask("0" * 16).status_code, ask(dataset).status_code) == (404, 202)
    waiting = client.post("/v1/datasets", json={"name": "d", "collection": "papers", "parameters": {"seed": 3}}).json()["id"]
    assert ask(waiting).status_code == 409


def test_what_a_dataset_cannot_be_made_of_is_told(gateway: Gateway, client: httpx.Client, base: str) -> None:
    def refused(**asked: Any) -> tuple[int, str]:
        answer = client.post("/v1/datasets", json={"name": "d", "collection": "papers", **asked})
        return answer.status_code, answer.json()["code"]

    assert refused() == (404, "not-found")
    gateway.add(done=False)
    assert refused() == (409, "conflict")
    assert refused(base="unheard-of") == (404, "not-found")
    assert refused(base="../../etc") == (422, "invalid-input")
    assert refused(colour="blue") == (422, "invalid-request")


def test_an_unfinished_dataset_is_neither_downloaded_nor_trained_on(gateway: Gateway, client: httpx.Client, base: str) -> None:
    gateway.add()
    dataset = client.post("/v1/datasets", json={"name": "d", "collection": "papers"}).json()["id"]
    assert client.get(f"/v1/datasets/{dataset}/download").json()["code"] == "not-ready"
    assert client.post("/v1/runs", json={"name": "r", "dataset": dataset}).status_code == 409


def test_a_run_leaves_a_model_with_its_scores_and_its_lineage(client: httpx.Client, run: dict[str, Any], dataset: str) -> None:
    assert run["wish"]["recipe"]["base"] == "tiny-base", "a base that is left out is the dataset's"
    assert [stage["stage"] for stage in run["stages"]] == ["training", "evaluation"]
    model = client.get("/v1/tuned-models/papers").json()
    assert (model["run"], model["dataset"], model["base"]) == (run["id"], dataset, "tiny-base")
    assert model["evaluation"]["tuned"]["loss"] < model["evaluation"]["base"]["loss"]
    assert client.get(f"/v1/tuned-models/{model['id']}").json() == model
    assert client.get("/v1/tuned-models/none").status_code == 404


def test_a_curve_is_told_while_it_grows_and_when_it_is_done(gateway: Gateway, client: httpx.Client, dataset: str) -> None:
    asked = client.post("/v1/runs", json={"name": "papers", "dataset": dataset}).json()
    path = f"/v1/runs/{asked['id']}/curve"
    assert client.get(path).json()["items"] == []
    work = gateway.catalog.work(asked["job"])
    assert work is not None
    gateway.catalog.begin_stage(RunWork.model_validate(work.work), "training", "k")
    fields = {"step": 1, "epoch": 0.1, "loss": 3.0, "learning_rate": 1e-4, "tokens": 5, "seconds": 1.0}
    for data in (
        {"stage": "training", "fields": fields},
        {"stage": "training", "fields": {"phase": "loading"}},
        {"stage": "other"},
    ):
        gateway.catalog.add_event(asked["job"], "progress", data)
    assert [point["loss"] for point in client.get(path).json()["items"]] == [3.0]
    gateway.workers.run(asked["job"])
    assert [point["step"] for point in client.get(path).json()["items"]] == [1, 2, 3, 4]


def test_evidence_is_the_training_chunk_that_is_nearest(gateway: Gateway, client: httpx.Client, run: dict[str, Any]) -> None:
    found = client.get("/v1/tuned-models/papers/evidence", params={"text": "Why do gauges drift?"}).json()["items"]
    assert (found[0]["filename"], found[0]["pages"], found[0]["text"]) == (
        "Tide.pdf", [7], "Tide gauges drift when their zero is lost.",
    )  # fmt: skip
    assert found[0]["spans"][0]["box"] == [1.0, 2.0, 3.0, 4.0] and found[0]["score"] > 0
    assert [one["filename"] for one in found] == ["Tide.pdf"], "what shares no term is no evidence"
    for text in ("held out entirely", "xyzzy", "?!"):
        answer = client.get("/v1/tuned-models/papers/evidence", params={"text": text})
        assert (answer.status_code, answer.json()["items"]) == (200, []), text
    assert client.get("/v1/tuned-models/none/evidence", params={"text": "a"}).status_code == 404


def test_a_tuned_model_is_deployed_by_name_and_stopped(gateway: Gateway, client: httpx.Client, run: dict[str, Any]) -> None:
    asked = client.post("/v1/deployments", json={"name": "answers", "model": "papers"})
    assert asked.status_code == 202, asked.text
    model = client.get("/v1/tuned-models/papers").json()["id"]
    assert (asked.json()["wish"]["model"], asked.json()["wish"]["base"], asked.json()["state"]) == (
        model,
        "tiny-base",
        "pending",
    )
    job = asked.headers["link"].split(">")[0].removeprefix("</v1/jobs/")
    assert client.get(f"/v1/jobs/{job}").json()["kind"] == "deployment"
    assert client.post("/v1/deployments", json={"name": "answers", "model": model}).status_code == 200, "that very wish stands"
    assert (
        client.post("/v1/deployments", json={"name": "answers", "model": model, "context_tokens": 512}).json()["sequence"] == 2
    )
    assert [one["name"] for one in client.get("/v1/deployments").json()["items"]] == ["answers"]
    stopped = client.delete("/v1/deployments/answers")
    assert (stopped.status_code, stopped.json()["wish"]["state"]) == (202, "stopped")
    assert client.delete(f"/v1/jobs/{job}").status_code == 409


def test_a_deployment_is_rolled_back_to_what_it_was_and_again_to_what_it_is(
    gateway: Gateway, client: httpx.Client, run: dict[str, Any]
) -> None:
    def asked(**more: Any) -> None:
        assert client.post("/v1/deployments", json={"name": "answers", "model": "papers", **more}).status_code == 202

    def back() -> httpx.Response:
        return client.post("/v1/deployments/answers/rollback")

    assert back().status_code == 404
    asked()
    assert (back().status_code, back().json()["code"]) == (409, "conflict"), "it was never anything else"
    assert client.delete("/v1/deployments/answers").status_code == 202
    asked()
    assert back().status_code == 409, "a stop between is no other model"
    asked(context_tokens=512)
    answer = back()
    assert (answer.status_code, answer.json()["wish"]["context_tokens"], answer.json()["wish"]["state"]) == (
        202,
        2_048,
        "running",
    )
    job = answer.headers["link"].split(">")[0].removeprefix("</v1/jobs/")
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "queued"
    assert back().json()["wish"]["context_tokens"] == 512
    client.delete("/v1/deployments/answers")
    assert back().status_code == 409, "what is stopped is started by name"


def test_what_cannot_be_deployed_is_told(client: httpx.Client, base: str) -> None:
    def refused(**asked: Any) -> tuple[int, str]:
        answer = client.post("/v1/deployments", json=asked)
        return answer.status_code, answer.json()["code"]

    assert refused(name="a", model="none") == (404, "not-found")
    assert refused(name="a", base="none") == (404, "not-found")
    assert refused(name="Not A Name", base=base) == (422, "invalid-input")
    assert refused(name="a", context_tokens=1) == (422, "invalid-request")
    assert client.post("/v1/deployments", json={"name": "plain"}).json()["wish"]["base"] == base
    assert client.get("/v1/deployments/none").status_code == client.delete("/v1/deployments/none").status_code == 404


def test_creation_is_answered_again_under_its_idempotency_key(gateway: Gateway, client: httpx.Client, base: str) -> None:
    gateway.add()
    for path, asked, other in [
        ("/v1/datasets", {"name": "d", "collection": "papers"}, {"name": "e", "collection": "papers"}),
        ("/v1/deployments", {"name": "a"}, {"name": "b"}),
    ]:
        headers = {"Idempotency-Key": f"key of {path}"}
        first, again = client.post(path, json=asked, headers=headers), client.post(path, json=asked, headers=headers)
        assert (again.status_code, again.json()) == (first.status_code, first.json()) == (202, first.json())
        assert again.headers["idempotency-replayed"] == "true" and again.headers["location"] == first.headers["location"]
        reused = client.post(path, json=other, headers=headers)
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")
    assert client.get("/v1/deployments/a").json()["sequence"] == 1


def test_a_refused_request_is_not_remembered(gateway: Gateway, client: httpx.Client, base: str) -> None:
    asked = {"json": {"name": "d", "collection": "papers"}, "headers": {"Idempotency-Key": "k"}}
    assert client.post("/v1/datasets", **asked).status_code == 404
    gateway.add()
    assert client.post("/v1/datasets", **asked).status_code == 202


def test_a_request_that_is_being_carried_out_is_not_carried_out_twice(
    gateway: Gateway, client: httpx.Client, base: str
) -> None:
    caller = gateway.catalog.keys()[0]
    with gateway.parts.leases.hold(f"idempotency:{digest([caller.id, 'k'])}"):
        answer = client.post("/v1/deployments", json={"name": "a"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "lease-held")

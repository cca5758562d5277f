"""Exports over REST and in the command: asked for, refused with figures, downloaded by name, seen when a document goes."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.contracts.exports import Comparison, ExportResult, ExportWish, Limits
from shared.contracts.work import Rejected
from shared.reindex import reindex
from shared.stage import StageContext
from tests.api.conftest import PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of
from tests.api.test_commands import run as run_of_commands
from tests.api.test_web import sign_in, token

run = run_of_commands
COMPARED = Comparison(
    adapter_divergence=0.7, prefill_divergence=0.002, prefill_positions=9, decoding_divergence=0.001, decoding_agreement=1.0,
    decoding_positions=9, reference_perplexity=30.0, perplexity=30.3,
)  # fmt: skip
LIMITS = Limits(divergence=0.01, adapter_share=0.5, agreement=0.98, perplexity_ratio=1.02)
REFUSAL = Rejected(
    reason="beyond-limit", detail="The export is not the model that was trained: perplexity 1.5 (at most 1.02).",
    figures={"perplexity": 45.0},
)  # fmt: skip


class Exporting:
    """A worker that writes a file instead of a model, or refuses."""

    def __init__(self) -> None:
        self.refuse = False

    def __call__(self, context: StageContext[Any]) -> ExportResult | Rejected:
        if self.refuse:
            return REFUSAL
        wish = ExportWish.model_validate_json(context.fetch_object(f"exports/{context.key[:16]}.json").read_bytes())
        (context.out / "m.gguf").write_bytes(b"GGUF and more")
        (context.out / "README.md").write_text("# A card\n")
        return ExportResult(
            variant=wish.parameters.variant, comparison=COMPARED, limits=LIMITS, weights_bytes=13, bf16_bytes=26,
            made_seconds=1.0, compared_seconds=2.0,
        )  # fmt: skip


@pytest.fixture
def exporting(gateway: Gateway) -> Exporting:
    gateway.workers = Authors(gateway.workers.runner)
    gateway.workers.own["export"] = made = Exporting()
    return made


@pytest.fixture
def model(gateway: Gateway, client: httpx.Client, base: str, exporting: Exporting) -> str:
    for at in range(3):
        gateway.add(content=PDF + bytes([at]))
    return model_of(gateway, client, "papers", dataset_of_shelf(gateway, client, "first"))


def ask(client: httpx.Client, variant: str = "gguf-q8_0", model: str = "papers") -> httpx.Response:
    return client.post(f"/v1/tuned-models/{model}/exports", json={"variant": variant})


def test_an_export_is_made_once_and_its_files_are_served_by_name(gateway: Gateway, client: httpx.Client, model: str) -> None:
    asked = ask(client)
    assert (asked.status_code, asked.json()["state"], asked.json()["files"]) == (202, "queued", {})
    path = asked.headers["Location"]
    assert client.get(f"{path}/download", params={"file": "m.gguf"}).json()["code"] == "not-ready"
    assert gateway.workers.run(asked.json()["job"]) == "done"
    found = client.get(path).json()
    assert (found["wish"]["model"], found["files"]) == (model, {"README.md": 9, "m.gguf": 13})
    assert found["stages"][0]["result"]["comparison"]["perplexity"] == 30.3
    assert client.get(f"{path}/download", params={"file": "m.gguf"}).content == b"GGUF and more"
    part = client.get(f"{path}/download", params={"file": "m.gguf"}, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"GGUF")
    again = ask(client, model=model)
    assert (again.status_code, again.json()["id"]) == (200, found["id"])
    assert ask(client, "gguf-q4_1").json()["id"] != found["id"]
    listed = client.get(f"/v1/tuned-models/{model}/exports").json()["items"]
    assert [one["wish"]["parameters"]["variant"] for one in listed] == ["gguf-q4_1", "gguf-q8_0"]


def test_no_name_leads_out_of_an_export(gateway: Gateway, client: httpx.Client, model: str) -> None:
    asked = ask(client)
    gateway.workers.run(asked.json()["job"])
    strange = ["../m.gguf", f"../../../models/{model}.json", "/etc/passwd", "m.gguf/../README.md", "manifest.json", ""]
    for name in strange:
        answer = client.get(f"{asked.headers['Location']}/download", params={"file": name})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), name


def test_an_export_that_the_gate_refused_is_kept_from_everybody(
    gateway: Gateway, client: httpx.Client, model: str, exporting: Exporting
) -> None:
    exporting.refuse = True
    asked = ask(client)
    assert gateway.workers.run(asked.json()["job"]) == "failed"
    found = client.get(asked.headers["Location"]).json()
    assert (found["state"], found["code"], found["files"]) == ("failed", "beyond-limit", {})
    assert found["stages"][0]["result"]["figures"] == {"perplexity": 45.0}
    refused = client.get(f"{asked.headers['Location']}/download", params={"file": "m.gguf"})
    assert (refused.status_code, refused.json()["code"], refused.json()["detail"]) == (409, "beyond-limit", REFUSAL.detail)
    assert ask(client).json()["state"] == "failed", "what was refused stays refused"


def test_bad_requests_are_told_what_is_wrong(client: httpx.Client, gateway: Gateway, model: str) -> None:
    assert ask(client, "int3").status_code == 422
    assert ask(client, model="none").status_code == 404
    assert client.get("/v1/tuned-models/papers/exports/0123456789abcdef").status_code == 404
    with gateway.client("read") as reader:
        assert ask(reader).status_code == 403


def test_forgetting_a_document_names_the_exports_that_saw_it_and_calls_off_those_being_made(
    gateway: Gateway, client: httpx.Client, model: str
) -> None:
    done, waiting = ask(client).json(), ask(client, "awq").json()
    gateway.workers.run(done["job"])
    dataset = client.get("/v1/tuned-models/papers").json()["dataset"]
    lines = client.get(f"/v1/datasets/{dataset}/download").text.splitlines()
    document = json.loads(lines[0])["document"]
    receipt = gateway.await_job(client.post(f"/v1/documents/{document}/forget", json={"confirm": document}))
    assert receipt.state == "done"
    uses = client.get(f"/v1/forgotten/{document}").json()["receipt"]["uses"]
    assert {(one["export"], one["variant"]) for one in uses["exports"]} == {(done["id"], "gguf-q8_0"), (waiting["id"], "awq")}
    found = client.get(f"/v1/tuned-models/papers/exports/{done['id']}").json()
    assert (found["state"], found["saw_forgotten"]) == ("done", [document])
    assert client.get(f"/v1/jobs/{waiting['job']}").json()["state"] == "cancelled"


def test_the_page_of_a_run_asks_for_exports_and_tells_of_them(
    gateway: Gateway, client: httpx.Client, model: str, exporting: Exporting
) -> None:
    browser, run = sign_in(gateway, "write"), client.get(f"/v1/tuned-models/{model}").json()["run"]
    form = {"csrf": token(browser), "variant": "gguf-q8_0"}
    assert browser.post(f"/models/{model}/exports", data={**form, "variant": "int3"}).status_code == 422
    assert browser.post(f"/models/{model}/exports", data=form).headers["location"] == f"/runs/{run}"
    made = client.get(f"/v1/tuned-models/{model}/exports").json()["items"][0]
    gateway.workers.run(made["job"])
    exporting.refuse = True
    gateway.workers.run(ask(client, "gptq").json()["job"])
    page = browser.get(f"/runs/{run}").text
    assert f"/v1/tuned-models/{model}/exports/{made['id']}/download?file=m.gguf" in page
    assert "30.00 trained, 30.30 exported" in page and REFUSAL.detail in page and "Refused" in page
    assert browser.get(f"/v1/tuned-models/{model}/exports/{made['id']}/download?file=m.gguf").content == b"GGUF and more"


def test_the_catalog_is_rebuilt_with_its_exports(gateway: Gateway, client: httpx.Client, model: str) -> None:
    asked = ask(client)
    gateway.workers.run(asked.json()["job"])
    before = client.get(asked.headers["Location"]).json()
    assert reindex(gateway.store, gateway.catalog)["exports"] == 1
    assert client.get(asked.headers["Location"]).json() == before


def test_the_command_exports_lists_and_downloads(
    gateway: Gateway, client: httpx.Client, model: str, run: Callable[..., Any], tmp_path: Any, exporting: Exporting
) -> None:
    gateway.workers.run(ask(client).json()["job"])
    made = run("export", "papers", "--variant", "gguf-q8_0", "--out", str(tmp_path / "got"))
    assert made.returncode == 0, made.stderr
    assert "50% of bf16" in made.stdout and "30.300" in made.stdout
    assert sorted(one.name for one in (tmp_path / "got").iterdir()) == ["README.md", "m.gguf"]
    exporting.refuse = True
    gateway.workers.run(ask(client, "gptq").json()["job"])
    listed = run("exports", "papers", "--json")
    assert [(one["wish"]["parameters"]["variant"], one["state"]) for one in json.loads(listed.stdout)] == [
        ("gptq", "failed"), ("gguf-q8_0", "done"),
    ]  # fmt: skip
    refused = run("export", "papers", "--variant", "gptq", "--wait")
    assert refused.returncode == 1
    assert "beyond-limit" in refused.stderr + refused.stdout

"""Exports deployed over REST, in the command and on a page: only what was published, and asked as what it is."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.conftest import Gateway
from tests.api.engine import ToldEngine
from tests.api.test_exports import REFUSAL, Exporting, ask, exporting, model, run  # noqa: F401
from tests.api.test_openai import chat, engine, told  # noqa: F401
from tests.api.test_web import sign_in, token

SERVED = "export:"


def deploy(client: httpx.Client, variant: str, **more: Any) -> httpx.Response:
    asked = {"name": "answers", "model": "papers", "variant": variant, **more}
    return client.post("/v1/deployments", json=asked)


@pytest.fixture
def merged(gateway: Gateway, client: httpx.Client, model: str) -> str:  # noqa: F811
    """The key of a published export."""
    asked = ask(client, "merged").json()
    assert gateway.workers.run(asked["job"]) == "done"
    return str(asked["wish"]["key"])


def test_a_published_export_is_wished_for_by_its_key(client: httpx.Client, merged: str) -> None:
    answer = deploy(client, "merged")
    assert (answer.status_code, answer.json()["wish"]["variant"], answer.json()["wish"]["export"]) == (202, "merged", merged)
    assert deploy(client, "merged").status_code == 200, "that very wish stands"
    back = deploy(client, "adapter").json()
    assert (back["sequence"], back["wish"]["variant"], back["wish"]["export"]) == (2, "adapter", None)
    rolled = client.post("/v1/deployments/answers/rollback").json()["wish"]
    assert (rolled["variant"], rolled["export"]) == ("merged", merged)
    exact = deploy(client, "merged", engine_arguments={"dtype": "float32"}).json()["wish"]
    assert exact["engine_arguments"]["dtype"] == "float32"


def test_what_was_not_published_is_not_deployed_and_the_answer_says_what_makes_it(
    gateway: Gateway, client: httpx.Client, model: str, exporting: Exporting  # noqa: F811
) -> None:  # fmt: skip
    missing = deploy(client, "gguf-q8_0")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
    assert f"lectern export {model} --variant gguf-q8_0" in missing.json()["detail"]
    waiting = ask(client, "gguf-q8_0").json()
    unmade = deploy(client, "gguf-q8_0")
    assert (unmade.status_code, unmade.json()["code"]) == (409, "not-ready")
    assert "lectern export" in unmade.json()["detail"]
    exporting.refuse = True
    gateway.workers.run(waiting["job"])
    refused = deploy(client, "gguf-q8_0")
    assert (refused.status_code, refused.json()["code"]) == (409, "beyond-limit")
    assert REFUSAL.detail in refused.json()["detail"]
    assert client.get("/v1/deployments/answers").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"variant": "int3"},
        {"variant": "merged", "model": None},
        {"engine_arguments": {"trust_remote_code": True}},
        {"engine_arguments": {"dtype": "int4"}},
        {"export": "a" * 64},
    ],
)
def test_what_is_no_variant_or_no_argument_is_told(client: httpx.Client, merged: str, asked: dict[str, Any]) -> None:
    answer = client.post("/v1/deployments", json={"name": "answers", "model": "papers", **asked})
    assert answer.status_code == 422, answer.text


def test_an_export_is_asked_without_a_template_of_the_gateways_and_its_base_is_not_offered(
    gateway: Gateway, client: httpx.Client, merged: str, engine: tuple[ToldEngine, str], base: str  # noqa: F811
) -> None:  # fmt: skip
    deploy(client, "merged")
    gateway.catalog.observe_deployment("answers", "ready", None, [engine[1]], f"{SERVED}{merged[:16]}")
    assert chat(client, "answers").status_code == 200
    assert engine[0].asked[-1]["model"] == f"{SERVED}{merged[:16]}" and "chat_template" not in engine[0].asked[-1]
    assert base not in [one["id"] for one in client.get("/v1/models").json()["data"]]
    assert chat(client, base).status_code == 404


def test_while_an_export_takes_an_adapters_place_each_is_asked_in_its_own_form(
    gateway: Gateway, client: httpx.Client, merged: str, engine: tuple[ToldEngine, str]  # noqa: F811
) -> None:  # fmt: skip
    deploy(client, "merged")
    gateway.catalog.observe_deployment("answers", "starting", "starting the engine", [engine[1]], "lectern-before")
    assert chat(client, "answers").status_code == 200
    assert engine[0].asked[-1]["model"] == "lectern-before" and "chat_template" in engine[0].asked[-1]
    deploy(client, "adapter")
    gateway.catalog.observe_deployment("answers", "starting", "loading the adapter", [engine[1]], f"{SERVED}{merged[:16]}")
    assert chat(client, "answers").status_code == 200
    assert "chat_template" not in engine[0].asked[-1]


def test_a_models_own_name_means_its_adapter_where_both_are_served(
    gateway: Gateway, client: httpx.Client, merged: str, engine: tuple[ToldEngine, str]  # noqa: F811
) -> None:  # fmt: skip
    for name, variant, served in (("a", "merged", f"{SERVED}{merged[:16]}"), ("b", "adapter", "lectern-x")):
        deploy(client, variant, name=name)
        gateway.catalog.observe_deployment(name, "ready", None, [engine[1]], served)
    chat(client, "papers")
    assert engine[0].asked[-1]["model"] == "lectern-x"


def test_the_command_deploys_a_variant_and_lists_it(client: httpx.Client, merged: str, run: Callable[..., Any]) -> None:  # noqa: F811
    done = run("deploy", "papers", "--name", "answers", "--variant", "merged", "--set", "max_concurrent_requests=8", "--json")
    assert done.returncode == 0, done.stderr
    wish = json.loads(done.stdout)["wish"]
    assert (wish["export"], wish["engine_arguments"]["max_concurrent_requests"]) == (merged, 8)
    assert "merged" in run("deployments").stdout
    missing = run("deploy", "papers", "--variant", "gptq")
    assert missing.returncode != 0 and "lectern export" in missing.stderr
    assert run("deploy", "papers", "--variant", "int3").returncode == 2


def test_the_page_of_a_run_deploys_what_was_published(
    gateway: Gateway, client: httpx.Client, merged: str, model: str  # noqa: F811
) -> None:  # fmt: skip
    browser, made = sign_in(gateway, "write"), client.get(f"/v1/tuned-models/{model}").json()["run"]
    assert (
        "<option>merged</option>"
        in browser.get(f"/runs/{made}").text.partition('id="deploy-variant"')[2].partition("</select>")[0]
    )
    form = {"csrf": token(browser), "name": "answers"}
    assert browser.post(f"/models/{model}/deploy", data={**form, "variant": "gptq"}).status_code == 404
    assert browser.post(f"/models/{model}/deploy", data={**form, "variant": "merged"}).headers["location"] == "/try"
    assert client.get("/v1/deployments/answers").json()["wish"]["export"] == merged
    assert "answers</b> (merged)" in browser.get(f"/runs/{made}").text
    assert browser.post(f"/models/{model}/deploy", data={**form, "name": "plain"}).headers["location"] == "/try"
    assert client.get("/v1/deployments/plain").json()["wish"]["variant"] == "adapter"

"""What a model forgot, and the gate at its promotion: over REST, in the command, and after the catalog is made anew."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.catalog.protocol import Slice
from shared.reindex import reindex
from tests.api.conftest import PDF, Gateway
from tests.api.shelved import dataset_of_shelf
from tests.api.test_commands import run as run_of_commands

run = run_of_commands
Make = Callable[..., str]


@pytest.fixture
def make(gateway: Gateway, client: httpx.Client, base: str) -> Make:
    """A version of `papers`, which forgot so much of the probes."""
    for at in range(3):
        gateway.add(content=PDF + bytes([at]))
    dataset = dataset_of_shelf(gateway, client, "first")

    def version(seed: int = 17, forgets: float = 0.0) -> str:
        gateway.workers.forgets = forgets
        asked = client.post("/v1/runs", json={"name": "papers", "dataset": dataset, "recipe": {"seed": seed}}).json()
        assert gateway.workers.run(asked["job"]) == "done"
        return str(client.get("/v1/tuned-models/papers").json()["id"])

    return version


def promote(client: httpx.Client, model: str, **asked: Any) -> httpx.Response:
    return client.post(f"/v1/tuned-models/{model}/promotion", json=asked)


def deployed(client: httpx.Client) -> Any:
    return client.post("/v1/deployments", json={"name": "answers", "model": "papers"}).json()["wish"]["model"]


def test_the_report_is_a_matrix_of_versions_and_sets(client: httpx.Client, make: Make) -> None:
    model = make(forgets=0.5)
    report = client.get("/v1/tuned-models/papers/forgetting").json()
    assert (report["model"], [row["version"] for row in report["versions"]]) == (model, ["tiny-base", model])
    assert [one["name"] for one in report["sets"]] == ["own", "general probes"]
    assert [(one["set"], one["worse"]) for one in report["changes"]][1] == ("probes", True)
    assert client.get("/v1/tuned-models/none/forgetting").status_code == 404


def test_a_name_means_the_promoted_version_else_the_newest(gateway: Gateway, client: httpx.Client, make: Make) -> None:
    first, second = make(), make(seed=18)
    assert deployed(client) == second
    assert promote(client, first).status_code == 201
    assert deployed(client) == first
    flags = {one["id"]: one["promoted"] for one in client.get("/v1/tuned-models").json()["items"]}
    assert flags == {first: True, second: False}
    assert client.post("/v1/deployments", json={"name": "b", "model": second}).json()["wish"]["model"] == second
    promote(client, second)
    reindex(gateway.store, gateway.catalog)
    assert deployed(client) == second


def test_a_model_that_forgot_too_much_is_refused_unless_told_to(gateway: Gateway, client: httpx.Client, make: Make) -> None:
    model = make(forgets=0.5)
    refused = promote(client, model)
    assert (refused.status_code, refused.json()["code"]) == (409, "forgot-too-much")
    assert "from 2.000 (tiny-base) to 2.500, by 0.500 where 0.1 is allowed" in refused.json()["detail"]
    assert promote(client, model, force=True).status_code == 422, "a reason is wanted"
    forced = promote(client, model, force=True, reason="It is a trial.").json()
    assert (forced["forced"], forced["reason"], forced["forgot"][0]["set"]) == (True, "It is a trial.", "probes")
    allowed = promote(client, model, max_forgetting=0.6).json()
    assert (allowed["forced"], allowed["limit"]) == (False, 0.6)
    assert promote(client, model, max_forgetting=-1).status_code == 422
    assert promote(client, "none").status_code == 404
    deeds = [one.path for one in gateway.catalog.deeds(Slice(20)) if one.path.endswith("/promotion")]
    assert len(deeds) == 2, "what was promoted stands in the audit log, and nothing that was refused"


def test_who_may_only_read_promotes_nothing(gateway: Gateway, make: Make) -> None:
    model = make()
    with gateway.client("read") as reader:
        assert reader.get(f"/v1/tuned-models/{model}/forgetting").status_code == 200
        assert promote(reader, model).status_code == 403


def test_the_commands_show_the_matrix_and_keep_the_gate(make: Make, run: Callable[..., Any]) -> None:
    model = make(forgets=0.5)
    shown = run("forgetting", "papers")
    assert shown.returncode == 0 and "general probes" in shown.stdout and "+0.500" in shown.stdout and "worse" in shown.stdout
    refused = run("promote", "papers")
    assert refused.returncode != 0 and "by 0.500 where 0.1 is allowed" in refused.stderr
    assert f"papers means {model}" in (told := run("promote", "papers", "--force", "--reason", "a trial")).stdout + told.stderr
    assert "yes" in run("models").stdout

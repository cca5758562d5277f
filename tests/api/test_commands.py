"""The commands of ledger, costs, provenance and forgetting, against a real gateway."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bases import publish_base
from shared.contracts.learning import DeploymentWish
from shared.contracts.workers import AtWork, Gpu, WorkerReport
from shared.presence import RedisWorkforce
from shared.queue import open_redis
from tests.api.conftest import BASE, PDF, Gateway
from tests.api.shelved import Authors, dataset_of_shelf, model_of
from tests.api.test_ledger import GOOD, Readers, page

Run = Callable[..., Any]


@pytest.fixture
def run(gateway: Gateway, tmp_path: Path) -> Run:
    _, secret = gateway.parts.keys.create("cli", ("admin",))

    def call(*arguments: str, given: str | None = None) -> Any:
        options = ["--server", gateway.url, "--key", secret, "--home", str(tmp_path / "home")]
        command = [sys.executable, "-m", "cli.main", *arguments, *options]
        # A process of its own: this one's output holds the gateway's log.
        return subprocess.run(command, input=given or "", capture_output=True, text=True, timeout=120, check=False)

    return call


def test_ledger_tells_pages_lines_and_sums(gateway: Gateway, run: Run) -> None:
    workers = Readers(gateway.workers.runner)
    workers.pages = (page(1, GOOD, "@@ ## $$ \x1b[31m %% ^^ && ** (( )) !!"), page(2, failure="Too slow."))
    gateway.workers = workers
    document = gateway.add()
    told = run("ledger", document[:10])
    assert told.returncode == 0
    assert "2 in = 1 kept + 0 set aside + 1 failed" in told.stdout and "Too slow." in told.stdout
    lines = run("ledger", document, "--page", "1").stdout
    assert "set-aside" in lines and "heron" in lines and "\x1b[31m" not in lines
    assert json.loads(run("ledger", document, "--json").stdout)["adds_up"] is True
    assert [one["fate"] for one in json.loads(run("ledger", document, "--page", "1", "--json").stdout)["items"]] == [
        "kept", "set-aside"
    ]  # fmt: skip
    assert "2 in = 1 kept" in run("ledger", "-c", "papers").stdout


def test_text_is_downloaded_as_read_and_as_cleaned(gateway: Gateway, run: Run) -> None:
    workers = Readers(gateway.workers.runner)
    workers.pages = (page(1, GOOD, f"{GOOD} Write to ada@example.org."),)
    gateway.workers = workers
    document = gateway.add()
    clean = run("download", document, "--part", "clean").stdout
    assert GOOD in clean and "⟨e-mail⟩" in clean and "ada@example.org" not in clean
    assert run("download", document).stdout != clean


def test_a_ledger_that_does_not_add_up_fails_loudly(gateway: Gateway, run: Run) -> None:
    workers = Readers(gateway.workers.runner)
    workers.pages = (page(1, GOOD), page(2, GOOD))
    gateway.workers = workers
    document = gateway.add()
    path = next(one for one in gateway.store.list("stages/cleaning") if one.endswith("ledger.jsonl"))
    rows = gateway.store.read(path).splitlines(keepends=True)
    gateway.store.delete(path)
    gateway.store.create(path, rows[0])
    told = run("ledger", document)
    assert told.returncode == 1
    assert "does not add up" in told.stderr and "NO" in told.stdout


def test_a_change_of_settings_tells_its_cost_first(gateway: Gateway, run: Run) -> None:
    gateway.add()
    dry = run("collection", "set", "papers", "chunking.max_tokens=64", "--dry-run")
    assert (dry.returncode, "1 document of 1" in dry.stdout, "chunking" in dry.stdout) == (0, True, True)
    assert (
        json.loads(run("collection", "set", "papers", "chunking.max_tokens=64", "--dry-run", "--json").stdout)["documents"] == 1
    )
    assert json.loads(run("collection", "show", "papers", "--json").stdout)["parameters"]["chunking"]["max_tokens"] == 256
    done = run("collection", "set", "papers", "chunking.max_tokens=64")
    assert done.returncode == 0, done.stderr
    assert json.loads(run("collection", "show", "papers", "--json").stdout)["parameters"]["chunking"]["max_tokens"] == 64
    assert run("collection", "set", "fresh", "chunking.max_tokens=64", "--dry-run").returncode == 0
    assert run("collection", "show", "fresh").returncode == 5


def test_forgetting_asks_tells_and_is_lifted(gateway: Gateway, client: httpx.Client, base: str, run: Run) -> None:
    gateway.workers = Authors(gateway.workers.runner)
    ids = sorted(gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf") for at in range(3))
    model = model_of(gateway, client, "tuned", dataset_of_shelf(gateway, client, "first"))
    document = ids[0]
    dry = run("forget", document[:12], "--dry-run")
    assert (dry.returncode, "1 training example" in dry.stdout, model in dry.stdout) == (0, True, True)
    declined = run("forget", document[:12], given="nothing\n")
    assert (declined.returncode, "Nothing was removed" in declined.stderr) == (130, True)
    assert run("forget", document, "--json").returncode == 2, "where nobody can be asked, --yes has to be said"
    done = run("forget", document[:12], "--why", "asked to", given=f"{document[:6]}\n")
    assert done.returncode == 0, done.stderr
    assert "were not retrained" in " ".join(done.stdout.split())
    assert "asked to" in run("forgotten").stdout
    assert json.loads(run("forgotten", document[:8], "--json").stdout)["receipt"]["state"] == "done"
    assert document[:12] in run("models").stdout
    assert run("forget", document, "--lift").returncode == 0
    assert json.loads(run("forgotten", document, "--json").stdout)["state"] == "lifted"


def test_trace_shows_both_ways(gateway: Gateway, client: httpx.Client, base: str, run: Run) -> None:
    gateway.workers = Authors(gateway.workers.runner)
    document = sorted(gateway.add(content=PDF + bytes([at]), filename=f"{at}.pdf") for at in range(3))[0]
    dataset = dataset_of_shelf(gateway, client, "first")
    model = model_of(gateway, client, "tuned", dataset)
    seen = {f"e-{document[:8]}-0": document, f"{document[:8]}-0": document, document: model, model: document[:12]}
    for name, told in seen.items():
        shown = run("trace", name)
        assert (shown.returncode, told in shown.stdout) == (0, True), name
    assert json.loads(run("trace", f"e-{document[:8]}-0", "--dataset", dataset, "--json").stdout)["kind"] == "example"
    assert run("trace", "nothing").returncode == 5


def test_tidy_and_reindex_tell_what_they_came_to(gateway: Gateway, run: Run) -> None:
    gateway.add()
    gateway.store.create("uploads/broken-off", b"left")
    assert json.loads(run("tidy", "--older-hours", "0", "--dry-run", "--json").stdout)["uploads"] == 1
    assert json.loads(run("tidy", "--older-hours", "0", "--json").stdout)["uploads"] == 1
    assert "uploads" in run("tidy").stdout
    assert json.loads(run("reindex", "--json").stdout)["documents"] == 1


def test_a_deployment_is_rolled_back_by_one_command(gateway: Gateway, run: Run) -> None:
    for tokens in (1_024, 2_048):
        gateway.parts.records.wish_deployment(
            DeploymentWish(name="answers", model=None, base=BASE, context_tokens=tokens, wished_at="2026-01-01T00:00:00Z")
        )
    told = run("rollback", "answers")
    assert told.returncode == 0 and "answers is on its way" in told.stdout
    assert json.loads(run("deployments", "answers", "--json").stdout)["wish"]["context_tokens"] == 1_024
    missing = run("rollback", "nobody")
    assert missing.returncode != 0 and "There is no deployment 'nobody'" in missing.stderr


def test_a_canary_is_asked_for_told_of_finished_and_rolled_back(gateway: Gateway, run: Run, base: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    publish_base(gateway.store, other, name="other-base", source="", licence="", architecture="", eos_token="")
    early = run("deploy", "--base", "other-base", "--name", "answers", "--canary", "10")
    assert early.returncode != 0 and "There is no deployment 'answers'" in early.stderr
    run("deploy", "--base", base, "--name", "answers")
    same = run("deploy", "--base", base, "--name", "answers", "--canary", "10", "--replicas", "2")
    assert same.returncode != 0 and "That is what answers serves" in same.stderr
    assert run("deploy", "--base", "other-base", "--name", "answers", "--canary", "100").returncode == 2
    assert run("finish-canary", "answers").returncode != 0, "there is none"
    told = json.loads(run("deploy", "--base", "other-base", "--name", "answers", "--canary", "10", "--json").stdout)
    assert (told["wish"]["base"], told["wish"]["canary"]["base"], told["wish"]["canary"]["percent"]) == (base, "other-base", 10)
    assert "10 in 100 get other-base, which is pending" in " ".join(run("deployments").stdout.split())
    finished = json.loads(run("finish-canary", "answers", "--json").stdout)["wish"]
    assert (finished["base"], finished["canary"]) == ("other-base", None)
    undone = json.loads(run("rollback", "answers", "--json").stdout)["wish"]
    assert (undone["base"], undone["canary"]) == (base, None), "what was served before, without the canary that it had"


def test_replicas_are_asked_for_counted_and_kept_by_a_rollback(gateway: Gateway, run: Run, base: str) -> None:
    assert run("deploy", "--base", base, "--name", "answers", "--replicas", "0").returncode == 2
    assert run("deploy", "--base", base, "--name", "answers", "--replicas", "65").returncode == 2
    run("deploy", "--base", base, "--name", "answers", "--set", "dtype=float32")
    told = json.loads(run("deploy", "--base", base, "--name", "answers", "--replicas", "2", "--json").stdout)
    assert told["wish"]["replicas"] == 2 and told["endpoints"] == []
    gateway.catalog.observe_deployment("answers", "ready", "1 of 2 replicas answers: starting the engine", ["http://e"], BASE)
    seen = " ".join(run("deployments").stdout.split())
    assert "1/2" in seen and "1 of 2 replicas answers" in seen
    undone = json.loads(run("rollback", "answers", "--json").stdout)["wish"]
    assert (undone["engine_arguments"]["dtype"], undone["replicas"]) == ("float32", 2)


def test_who_waits_for_a_deployment_waits_for_its_last_replica(gateway: Gateway, run: Run, base: str) -> None:
    wish = DeploymentWish(name="answers", model=None, base=base, replicas=2, wished_at="2026-01-01T00:00:00Z")
    told = "1 of 2 replicas answers: the engine stopped"
    ends = [("done", None, None), ("failed", "engine-failed", told)]
    for state, code, detail in ends:
        job = gateway.parts.records.wish_deployment(wish)
        gateway.catalog.observe_deployment("answers", "ready", detail, ["http://e"], base, base)
        gateway.catalog.finish_job(job, state, code, detail, "2026-01-01T00:00:01Z")
        waited = run("deploy", "--base", base, "--name", "answers", "--replicas", "2", "--wait")
        assert (waited.returncode == 0, told in waited.stderr) == (state == "done", state == "failed")


def test_workers_and_the_gpus_that_they_see_are_shown_each_once(gateway: Gateway, run: Run) -> None:
    assert "No worker sees a GPU." in run("workers").stdout
    gpu = Gpu(uuid="GPU-1", index=0, name="NVIDIA H100", memory_used_bytes=8 << 30, memory_total_bytes=80 << 30)
    told = RedisWorkforce(open_redis(gateway.parts.settings))
    for pid in (7, 8):
        told.tell(
            WorkerReport(
                id=f"training-{pid}@node", service="training", host="node", pid=pid, version="0.1.0", queues=("training",),
                started_at="2026-01-01T00:00:00Z", beat_seconds=60, gpus=(gpu,),
                at=AtWork(job="run.abc", stage="training", since="2026-01-01T00:00:00Z") if pid == 7 else None,
            )
        )  # fmt: skip
    shown = run("workers").stdout
    assert "training-7@node" in shown and "training: run.abc" in shown and "training-8@node" in shown
    assert shown.count("NVIDIA H100") == 1 and "8.0 of 80.0 GiB" in shown
    assert [one["id"] for one in json.loads(run("workers", "--json").stdout)] == ["training-7@node", "training-8@node"]

"""`lectern deploy --tune` and `lectern tunings`, against a real gateway and engines that are told what to answer."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Gateway
from tests.api.test_commands import Run, run  # noqa: F401
from tests.api.test_tunings import PATH, engines, give_feedback, serving  # noqa: F401
from tests.api.tried_engine import Serving, TriedEngines
from tests.servers import wait_until

IN_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("cli.main", run_name="__main__")
"""
"""The command as a terminal starts it: what a shell starts in its background ignores SIGINT, and so would what that starts."""


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "What does the gauge read?"}\n\n{"prompt": "The gauge", "mode": "completion"}\n')
    return str(file)


def test_a_model_is_deployed_tuned_and_its_report_shown_again(
    client: httpx.Client, serving: Serving, engines: TriedEngines, run: Run, prompts: str  # noqa: F811
) -> None:  # fmt: skip
    engines.tokens["ngram-4"] = 1_000_000
    told = run("deploy", "papers", "--name", "papers", "--tune", "--prompts", prompts, "--concurrency", "2")
    assert told.returncode == 0, told.stderr
    assert "Kept: n-grams of 2 to 4, 4 guesses." in told.stdout and "2 given" in told.stdout
    assert "lectern rollback" in told.stdout
    assert client.get("/v1/deployments/papers").json()["wish"]["speculation"]["method"] == "ngram"
    again = run("tunings", "papers")
    assert again.returncode == 0 and "Kept: n-grams of 2 to 4, 4 guesses." in again.stdout
    assert json.loads(run("tunings", "papers", "1", "--json").stdout)["report"]["kept"]["speculation"]["tokens"] == 4


def test_what_stands_is_tuned_as_it_is_by_its_name_alone(
    client: httpx.Client, serving: Serving, engines: TriedEngines, run: Run  # noqa: F811
) -> None:  # fmt: skip
    give_feedback(client, "How high?")
    before = client.get("/v1/deployments/papers").json()["sequence"]
    told = run("deploy", "--name", "papers", "--tune", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["report"]["prompts"]["feedback"] == 1
    assert client.get("/v1/deployments/papers").json()["sequence"] == before, "plain is what it had"


def test_what_cannot_be_asked_for_is_refused_with_what_to_do(serving: Serving, run: Run, tmp_path: Path) -> None:  # noqa: F811
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"prompt": "one\u2028line"}\n["p"]\n')
    named = ("deploy", "--name", "papers")
    for arguments, exit_code, words in (
        ((*named, "--tune", "--prompts", str(wrong)), 2, "Prompt 2"),
        ((*named, "--tune", "--prompts", str(tmp_path / "none")), 2, "cannot be read"),
        ((*named, "--tune", "--speculate", "ngram"), 2, "--speculate"),
        ((*named, "--tune", "--canary", "5"), 2, "--canary"),
        ((*named, "--tune", "--set", "dtype=float32"), 2, "--set"),
        ((*named, "--tune", "--replicas", "3"), 2, "--replicas"),
        ((*named, "--tune", "--variant", "merged"), 2, "--variant"),
        ((*named, "--concurrency", "4"), 2, "--tune"),
        ((*named, "--tune"), 2, "no recorded prompts"),
        (("deploy", "--name", "nobody", "--tune"), 5, "nobody"),
        (("tunings", "papers"), 5, "never tuned"),
    ):  # fmt: skip
        told = run(*arguments)
        assert told.returncode == exit_code and words in told.stderr, (arguments, told)


def test_ctrl_c_leaves_it_running(
    gateway: Gateway, client: httpx.Client, serving: Serving, engines: TriedEngines, prompts: str  # noqa: F811
) -> None:  # fmt: skip
    engines.waits.set()
    _, secret = gateway.parts.keys.create("cli", ("admin",))
    command = ["deploy", "--name", "papers", "--tune", "--prompts", prompts, "--server", gateway.url, "--key", secret]
    with subprocess.Popen([sys.executable, "-c", IN_TERMINAL, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and "Ctrl-C leaves it running" in process.stdout.readline()
        wait_until(lambda: any(one.get("stream") for one in engines.asked), "it to be measured")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()
    assert client.get(f"{PATH}/latest").json()["state"] == "running"
    engines.waits.clear()
    wait_until(lambda: client.get(f"{PATH}/latest").json()["state"] == "done", "the tuning")

"""`lectern review` and `lectern classifier` by script, against a real gateway."""

import json
import os
import pty
import select
import subprocess
import sys
from typing import Any

import pytest

from tests.api.conftest import Gateway
from tests.api.test_review import shelf  # noqa: F401 - a fixture


@pytest.fixture
def lectern(gateway: Gateway) -> Any:
    _, secret = gateway.parts.keys.create("ada", ("write",))

    def run(*arguments: str, given: str = "") -> Any:
        command = [sys.executable, "-m", "cli.main", *arguments, "--server", gateway.url, "--key", secret]
        return subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=120)

    return run


def test_texts_are_listed_labelled_and_summed_up_by_script(gateway: Gateway, shelf: list[str], lectern: Any) -> None:  # noqa: F811
    listed = lectern("review", "list", "--limit", "120", "--json")
    assert listed.returncode == 0, listed.stderr
    items = json.loads(listed.stdout)
    assert len(items) == 120
    bad = json.dumps([item for item in items if not item["text"].startswith("The ")])
    good = json.dumps([item for item in items if item["text"].startswith("The ")])
    assert lectern("review", "label", "garbage", "--file", "-", given=bad).returncode == 0
    assert lectern("review", "label", "good", "--file", "-", "--json", given=good).returncode == 0
    first = lectern("review", "label", "withdrawn", f"{items[0]['document'][:12]}/{items[0]['id']}")
    assert (first.returncode, first.stdout.strip()) == (0, "1 text: withdrawn.")
    summary = lectern("review", "summary")
    assert summary.returncode == 0 and "119" in summary.stdout and "rules" in summary.stdout

    asked = json.loads(lectern("classifier", "train", "--json").stdout)
    assert gateway.workers.run(asked["job"]) == "done"
    told = lectern("classifier", "list")
    assert told.returncode == 0 and asked["id"] in told.stdout
    why = json.loads(lectern("review", "summary", "--json").stdout)["versions"][0]["why"]
    assert " ".join(told.stdout.split()).endswith(" ".join(why.split())), "why it decides or not is shown whole"
    assert json.loads(lectern("classifier", "list", "--json").stdout)[0]["adopted"] is True


def test_a_sitting_in_a_terminal_takes_a_key_for_each_text(gateway: Gateway, shelf: list[str]) -> None:  # noqa: F811
    _, secret = gateway.parts.keys.create("ben", ("write",))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "review", "--server", gateway.url, "--key", secret]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    for key in (b"g", b"f", b"u", b"s", b"q"):
        shown += _until(ours, b"u undo")
        os.write(ours, key)
    shown += _until(ours, b"stands.")
    assert process.wait(60) == 0
    os.close(ours)
    assert b"1 text labelled" in shown and b"symbol-noise" in shown
    with gateway.client() as client:
        told = client.get("/v1/garbage/labels", params={"reviewer": "ben"}).json()["items"]
    assert sorted(one["label"]["verdict"] for one in told) == ["garbage", "withdrawn"]


def _until(terminal: int, mark: bytes) -> bytes:
    """What the terminal shows up to a mark, and what came with it."""
    shown = b""
    while mark not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 65_536)
    return shown


def test_what_cannot_be_worked_with_is_told_and_exits_so(shelf: list[str], lectern: Any) -> None:  # noqa: F811
    assert lectern("review").returncode == 2
    assert lectern("review", "label", "good").returncode == 2
    assert lectern("review", "label", "good", "nonsense").returncode == 2
    assert lectern("review", "label", "good", "--file", "-", given='{"no": "list"}').returncode == 2
    missing = lectern("review", "label", "good", f"{shelf[0]}/none")
    assert missing.returncode == 5 and "order=uncertainty" in missing.stderr

"""`lectern review` and `lectern classifier` by script, against a real gateway."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.api.conftest import Gateway
from tests.api.test_review import shelf  # noqa: F401 - a fixture


@pytest.fixture
def lectern(gateway: Gateway) -> Any:
    _, secret = gateway.parts.records.create_key("ada", ("write",))

    def run(*arguments: str, given: str | None = None) -> Any:
        return CliRunner().invoke(app, [*arguments, "--server", gateway.url, "--key", secret], input=given)

    return run


def test_texts_are_listed_labelled_and_summed_up_by_script(gateway: Gateway, shelf: list[str], lectern: Any) -> None:  # noqa: F811
    listed = lectern("review", "list", "--limit", "120", "--json")
    assert listed.exit_code == 0, listed.output
    items = json.loads(listed.stdout)
    assert len(items) == 120
    bad = json.dumps([item for item in items if not item["text"].startswith("The ")])
    good = json.dumps([item for item in items if item["text"].startswith("The ")])
    assert lectern("review", "label", "garbage", "--file", "-", given=bad).exit_code == 0
    assert lectern("review", "label", "good", "--file", "-", "--json", given=good).exit_code == 0
    first = lectern("review", "label", "withdrawn", f"{items[0]['document'][:12]}/{items[0]['id']}")
    assert (first.exit_code, first.stdout.strip()) == (0, "1 text: withdrawn.")
    summary = lectern("review", "summary")
    assert summary.exit_code == 0 and "119" in summary.stdout and "rules" in summary.stdout

    asked = json.loads(lectern("classifier", "train", "--json").stdout)
    assert gateway.workers.run(asked["job"]) == "done"
    told = lectern("classifier", "list")
    assert told.exit_code == 0 and asked["id"] in told.stdout
    assert json.loads(lectern("classifier", "list", "--json").stdout)[0]["adopted"] is True


def test_what_cannot_be_worked_with_is_told_and_exits_so(shelf: list[str], lectern: Any) -> None:  # noqa: F811
    assert lectern("review").exit_code == 2
    assert lectern("review", "label", "good").exit_code == 2
    assert lectern("review", "label", "good", "nonsense").exit_code == 2
    assert lectern("review", "label", "good", "--file", "-", given='{"no": "list"}').exit_code == 2
    missing = lectern("review", "label", "good", f"{shelf[0]}/none")
    assert missing.exit_code == 5 and "order=uncertainty" in missing.output

"""`lectern cleaner` labels pages, measures taggers, and says what is wrong with what it is given."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from shared.contracts.taggers import LabelledPage
from tests.unit.cleaning.texts import PROSE, block, page

RUN = CliRunner()


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A page, labelled by the command."""
    (tmp_path / "one.pages.jsonl").write_text(page(block("Tides", "header", top=20), block(PROSE)).model_dump_json() + "\n")
    out = tmp_path / "labels.jsonl"
    given = ["cleaner", "tag", str(tmp_path / "one.pages.jsonl"), "--out", str(out), "--tagger", "rules"]
    result = RUN.invoke(app, [*given, "--home", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return out


def test_a_page_map_is_labelled_for_people_to_correct(labels: Path) -> None:
    (one,) = (LabelledPage.model_validate_json(line) for line in labels.read_text().splitlines())

    assert (one.document, one.labels) == ("one", (("header",), ("content",)))


def test_a_tagger_is_measured_label_by_label(labels: Path, tmp_path: Path) -> None:
    result = RUN.invoke(app, ["cleaner", "evaluate", str(labels), "--tagger", "rules", "--json", "--home", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["labels"]["header"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["train", "--out", "x"], "--generated N"),
        (["train", "--out", "x", "--kind", "forest", "--generated", "9"], "no kind"),
        (["evaluate", "nowhere.jsonl"], "no file"),
        (["publish", "nowhere", "ours"], "no tagger that comes with Lectern|cannot be read as a tagger"),
    ],
)
def test_what_cannot_be_done_is_said(given: list[str], said: str, tmp_path: Path) -> None:
    result = RUN.invoke(app, ["cleaner", *given, "--home", str(tmp_path)])

    assert result.exit_code != 0
    assert any(part in " ".join(result.output.split()) for part in said.split("|")), result.output

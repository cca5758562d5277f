"""Single stages, without a server, on the documents of this repository."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app

PDF = Path("examples/pdf")


def run(*arguments: str, text: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=text)


@pytest.fixture(scope="module")
def mmd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples that have text, extracted by the command itself."""
    shelf, out = tmp_path_factory.mktemp("shelf"), tmp_path_factory.mktemp("mmd")
    for name in ("seiche-paper", "data-policy"):
        (shelf / f"{name}.pdf").write_bytes((PDF / f"{name}.pdf").read_bytes())
    assert run("extract", str(shelf), "--out", str(out), "--jobs", "2").exit_code == 0
    return out


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer.json of words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(file))
    return file


def test_extract_prints_mmd(mmd: Path) -> None:
    answer = run("extract", str(PDF / "seiche-paper.pdf"))
    assert answer.exit_code == 0
    assert answer.stdout == (mmd / "seiche-paper.mmd").read_text()
    assert "\n## " in answer.stdout


def test_extract_as_json_tells_pages_too() -> None:
    told = json.loads(run("extract", str(PDF / "seiche-paper.pdf"), "--json").stdout)
    assert [page["number"] for page in told["pages"]] == [1, 2, 3]
    assert told["result"]["pages"] == 3


def test_a_refused_document_of_a_folder_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    shelf.mkdir()
    (shelf / "good.pdf").write_bytes((PDF / "data-policy.pdf").read_bytes())
    (shelf / "bad.pdf").write_text("no PDF at all")
    answer = run("extract", str(shelf), "--out", str(out), "--json")
    assert answer.exit_code == 1
    outcomes = {Path(each["file"]).name: each for each in json.loads(answer.stdout)}
    assert outcomes["good.pdf"]["code"] is None
    assert outcomes["bad.pdf"]["code"]
    assert outcomes["bad.pdf"]["detail"]
    assert (out / "good.mmd").stat().st_size > 0


def test_clean_reads_a_file_or_stdin_and_sets_garbage_aside(mmd: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.jsonl"
    from_file = run("clean", str(mmd / "seiche-paper.mmd"), "--garbage", str(garbage))
    assert from_file.exit_code == 0
    assert all(json.loads(line)["reason"] for line in garbage.read_text().splitlines())
    from_stdin = run("clean", "-", text=(mmd / "seiche-paper.mmd").read_text())
    assert "seiche" in from_stdin.stdout


def test_chunks_are_json_lines_within_the_budget(mmd: Path, tokenizer: Path) -> None:
    answer = run("chunk", str(mmd / "data-policy.mmd"), "--max-tokens", "128", "--tokenizer", str(tokenizer))
    assert answer.exit_code == 0
    chunks = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(chunks) > 3
    assert all(chunk["tokens"] <= 128 for chunk in chunks)


def test_without_a_tokenizer_chunk_says_where_to_get_one(mmd: Path, tmp_path: Path) -> None:
    answer = run("chunk", str(mmd / "data-policy.mmd"), "--home", str(tmp_path))
    assert answer.exit_code == 5
    assert "--tokenizer" in answer.stderr


def test_the_homes_base_model_is_the_tokenizer_that_counts(mmd: Path, tokenizer: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache" / "bases" / "base-0123456789abcdef"
    place.mkdir(parents=True)
    (place / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    assert run("chunk", str(mmd / "data-policy.mmd"), "--home", str(tmp_path)).exit_code == 0


@pytest.mark.parametrize("arguments", [("extract", "nowhere.pdf"), ("clean", "nowhere.mmd"), ("extract", "examples/pdf")])
def test_what_cannot_be_worked_with_is_a_usage_failure(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2

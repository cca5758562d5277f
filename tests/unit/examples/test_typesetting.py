"""The example PDFs are what their sources say, and are made the same way each time."""

import os
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

from examples.typeset import HERE, typeset
from examples.typesetting.source import Grid, Heading, Items, Prose, Reference, read_source

SOURCES = sorted((HERE / "sources").glob("*.md"))
SCAN = "cradle-point-report"


def page_texts(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def test_two_runs_of_the_script_give_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        out = tmp_path / seed
        command = [sys.executable, "-m", "examples.typeset", "--out", str(out)]
        subprocess.run(command, cwd=HERE.parent, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
    first = {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()}
    second = {path.name: path.read_bytes() for path in (tmp_path / "2").iterdir()}
    assert len(first) == len(SOURCES)
    assert first == second


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_committed_pdf_says_what_its_source_says(source: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.pdf"
    typeset(source, fresh)
    assert page_texts(HERE / "pdf" / f"{source.stem}.pdf") == page_texts(fresh)


def test_every_source_has_its_pdf_and_no_pdf_is_left_over() -> None:
    assert {path.stem for path in (HERE / "pdf").iterdir()} == {path.stem for path in SOURCES}


def test_the_scan_has_no_text_layer_and_the_others_have_one() -> None:
    for path in (HERE / "pdf").iterdir():
        has_text = [len(text) > 100 for text in page_texts(path)[1:]]
        assert not any(has_text) if path.stem == SCAN else all(has_text), path.name


def test_the_examples_stay_small_enough_to_commit() -> None:
    assert sum(path.stat().st_size for path in (HERE / "pdf").iterdir()) < 1_500_000


def test_no_sentence_of_the_examples_is_said_twice() -> None:
    sentences = [
        sentence
        for path in SOURCES
        for block in read_source(path).blocks
        if isinstance(block, Prose)
        for sentence in block.text.split(". ")
        if len(sentence) > 60
    ]
    assert len(sentences) > 400
    assert len(set(sentences)) == len(sentences)


def test_the_source_format_knows_each_kind_of_block(tmp_path: Path) -> None:
    path = tmp_path / "one.md"
    path.write_text("class: paper\n\n# A\n\nOne\ntwo.\n\n- b\n- c\n\n1. d\n2. e\n\nTable: t\n| h |\n| x |\n\n[1] R.\n[2] S.\n")
    assert read_source(path).blocks == (
        Heading(1, "A"),
        Prose("One two."),
        Items(("b", "c"), ordered=False),
        Items(("d", "e"), ordered=True),
        Grid("t", (("h",), ("x",))),
        Reference("1", "R."),
        Reference("2", "S."),
    )

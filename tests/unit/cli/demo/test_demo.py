"""What the demonstration chooses, measures and writes down."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.demo.curve import loss_svg, smoothed, ticks
from cli.demo.facts import DocumentFact, Facts, Probe, Probes, Reply, document_fact
from cli.demo.place import prepare
from cli.demo.questions import choose_probes, choose_question, content
from cli.demo.report import render, write_report
from cli.demo.story import verdict
from cli.home import Home
from cli.outcome import Failure
from cli.sparkline import sparkline
from cli.talk import Answer

HOSTILE = "<script>alert(1)</script> & \x1b[31m \u202e"
losses = st.lists(st.floats(1e-3, 50, allow_nan=False), min_size=1, max_size=80)


def example(recipe: str, output: str, number: int = 0) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "recipe": recipe,
        "instruction": "What?",
        "input": "",
        "output": output,
        "filename": "a.pdf",
        "spans": [],
    }


def facts(text: str = "plain") -> Facts:
    answer = Answer(text, "stop", 12, 0.5)
    probe = Probe("question", text, text, text, answer)
    document = DocumentFact(text, "done", 3, 0, 9, {text: 2}, None, None, {text: 1})
    score = {"loss": 3.1, "perplexity": 22.2, "tokens": 900, "examples": 40}
    return Facts(
        pdfs=text,
        documents=[document, replace(document, state="failed", code="encrypted", detail=text)],
        refused=[(text, "not-a-pdf", text)],
        dataset={"train": 40, "heldout": 12},
        recipe={"base": text, "lora_r": 16},
        training={"steps": 2, "tokens": 900, "tokens_per_second": 88.0, "precision": "bf16", "device": "cpu",
                  "trainable_parameters": 10, "total_parameters": 100},
        evaluation={"base": score, "tuned": {**score, "loss": 2.9}},
        curve=[{"step": 1, "loss": 4.0}, {"step": 2, "loss": 3.5}],
        model=text, base=text, question=text, source={"output": text, "filename": text},
        replies=[Reply(text, answer), Reply(text, answer)],
        evidence=[{"filename": text, "pages": [1, 2], "score": 3.21, "text": text}],
        probes=Probes((probe,), "heldout", 1.0),
        seconds={"upload": 0.4, "training": 90.0},
    )  # fmt: skip


def test_a_question_is_preferred_whose_answer_says_most() -> None:
    vague, telling = (
        "It was as it often is in such a place and at such a time.",
        "On 9 November 2027 the Halden Quay gauge read 3.742 m.",
    )
    train = [example("continuation", telling, 0), example("question", vague, 1), example("question", telling, 2)]
    assert choose_question(train)["id"] == "e2"


def test_without_a_question_a_continuation_is_asked() -> None:
    assert choose_question([example("continuation", "On it goes.")])["recipe"] == "continuation"


def test_probes_come_from_held_out_examples_where_there_are_ten() -> None:
    many, few = [example("question", "x", number) for number in range(45)], [example("question", "x")] * 3
    split, chosen = choose_probes(many, few)
    assert (split, len(chosen)) == ("heldout", 10)
    assert len({each["id"] for each in chosen}) == 10
    assert choose_probes(few, many)[0] == "train"
    assert len(choose_probes([], few)[1]) == 3


def test_what_is_asked_is_what_the_template_was_trained_on() -> None:
    assert content({"instruction": "Continue.", "input": "Once"}) == "Continue.\n\n### Input:\nOnce"


@given(losses)
def test_the_curve_is_well_formed_whatever_the_losses(values: list[float]) -> None:
    svg = ElementTree.fromstring(loss_svg(list(range(1, len(values) + 1)), values))
    assert len(svg.findall(".//circle")) == len(values)
    for circle in svg.findall(".//circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 720
        assert 0 <= float(circle.attrib["cy"]) <= 260


@given(st.floats(0, 1e4), st.floats(1e-6, 1e4))
def test_ticks_enclose_what_they_scale(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert found[0] <= low + 1e-9 * max(1, low)
    assert found[-1] >= low + span - 1e-9 * (low + span)
    assert 2 <= len(found) <= 8


@given(losses)
def test_smoothing_stays_between_the_extremes(values: list[float]) -> None:
    made = smoothed(values)
    assert len(made) == len(values)
    assert min(values) - 1e-9 <= min(made) <= max(made) <= max(values) + 1e-9


def test_a_sparkline_is_no_longer_than_asked() -> None:
    assert len(sparkline([float(number) for number in range(1000)], 40).plain) <= 40 + len("loss 999.000  999.000")


def test_the_report_holds_everything_and_asks_nobody_for_anything() -> None:
    page = render(facts(), 100.0)
    for told in ("encrypted", "not-a-pdf", "3.100 → 2.900", "1 of 1", "<svg", "prefers-color-scheme: dark", "1 min 40 s"):
        assert told in page, told
    assert not re.search(r"(src|href)\s*=|https?://|url\(|@import", page)


def test_what_documents_and_models_say_is_escaped_in_the_report() -> None:
    page = render(facts(HOSTILE), 100.0)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    write_report(facts(), tmp_path / "report.html", 1.0)
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_verdict_is_good_only_where_all_worked() -> None:
    assert verdict(facts()) == []
    worse = facts()
    worse.evaluation["tuned"] = worse.evaluation["base"]
    assert "held-out loss" in verdict(worse)[0]
    silent = facts()
    silent.replies[-1] = Reply("demo", Answer(" ", "stop", 1, 0.1))
    assert "did not answer" in verdict(silent)[0]


def test_a_documents_fact_is_what_its_stages_say() -> None:
    stages = [
        {"stage": "extraction", "state": "done", "result": {"pages": 7, "pages_failed": 1}},
        {"stage": "cleaning", "state": "done", "result": {"garbage": {"too-short": 5}}},
        {"stage": "screening", "state": "done", "result": {"garbage": {"too-short": 4}, "chunks": 9}},
    ]
    found = document_fact({"filename": "a.pdf", "state": "running", "code": None, "detail": None, "stages": stages})
    assert (found.pages, found.pages_failed, found.garbage_items, found.chunks) == (7, 1, 4, 9)


def test_a_home_that_is_no_demonstrations_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(Failure, match="not cleared"):
        prepare(Home.at(tmp_path), keep=False)
    assert (tmp_path / "precious.txt").exists()


def test_a_demonstrations_home_is_fresh_but_for_its_base_model(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "demo")
    prepare(home, keep=False)
    old = [
        home.store / "documents" / "a",
        home.store / "bases" / "b",
        home.cache / "bases" / "c",
        home.valkey / "d",
        home.root / "key",
    ]
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    prepare(home, keep=True)
    assert all(path.exists() for path in old)
    prepare(home, keep=False)
    assert [path.exists() for path in old] == [False, True, True, False, False]

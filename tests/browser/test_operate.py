"""Operate, and who may do what."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared import layout
from shared.contracts.engines import NgramSpeculation
from shared.contracts.learning import EvaluationResult, Model, Score
from shared.contracts.tunings import (
    Answers,
    Load,
    PromptCounts,
    Setting,
    Trial,
    TuningParameters,
    TuningReport,
    TuningWish,
)
from shared.contracts.workers import AtWork, Gpu, WorkerReport
from shared.objects import Series, create_contract
from shared.presence import RedisWorkforce
from shared.queue import open_redis
from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import BASE, Library

Picture = Callable[[Page, str], None]


def test_what_broke_is_told_with_its_document_and_started_again(
    enter: Enter, lectern: Library, picture: Picture, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing in it\n%%EOF")
    lectern.add(broken, "errors")
    dead = lectern.add(EXAMPLES / "duty-desk-guide.pdf", "errors", done=False)
    job = f"document.errors.{dead[:16]}"
    lectern.gateway.catalog.finish_job(job, "dead", "internal", "Given up after 5 attempts.", "2026-01-01T00:00:00Z")
    lectern.deploy(None, "base-alone")
    workers(lectern, "document.papers.4f0cde51a7b2936e")
    page = enter("admin")
    page.goto("/operate")
    expect(page.get_by_role("row", name=job)).to_contain_text("Given up after 5 attempts")
    assert violations(page) == []
    picture(page, "operate")
    page.get_by_role("button", name=f"Start {job} again").click()
    expect(page.get_by_role("button", name=f"Start {job} again")).to_have_count(0)
    lectern.run("errors", dead)
    refused = page.get_by_role("row").filter(has_text="errors").filter(has_text="PDF").first
    refused.get_by_role("link").click()
    expect(page.locator(".notice.bad")).to_contain_text("Refused")


def test_a_canary_is_started_by_keyboard_told_and_served_to_all(enter: Enter, lectern: Library, picture: Picture) -> None:
    older, newer = tuned(lectern, 1), tuned(lectern, 2)
    lectern.deploy(older, "surveys")
    page = enter("write", refusals=True, color_scheme="dark")
    page.goto("/operate")
    page.get_by_role("link", name="Start a canary of surveys").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="A canary of surveys")).to_be_visible()
    assert violations(page) == []
    chosen = page.get_by_label("What they get")
    chosen.focus()
    page.keyboard.type(f"{newer}: the")
    page.keyboard.press("Tab")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    assert page.get_by_label("How many in 100").evaluate("one => one.validity.valid") is False, "0 in 100 is no share"
    page.get_by_label("How many in 100").fill("25")
    picture(page, "canary")
    page.keyboard.press("Enter")
    row = page.get_by_role("row", name="surveys")
    expect(row).to_contain_text(f"25 in 100 get {newer}")
    assert violations(page) == []
    row.scroll_into_view_if_needed()
    picture(page, "canary-operate")
    row.get_by_role("link", name="Change the canary of surveys").click()
    expect(page.locator(".notice")).to_contain_text("What you choose takes its place")
    expect(page.get_by_label("How many in 100")).to_have_value("25")
    page.goto("/operate")
    row.get_by_role("button", name="Serve the canary of surveys to all").click()
    expect(row).to_contain_text(newer)
    expect(row.get_by_role("link", name="Start a canary of surveys")).to_be_visible()


def test_what_stands_against_a_canary_is_told_beside_the_form(enter: Enter, lectern: Library, picture: Picture) -> None:
    model = tuned(lectern, 3)
    lectern.deploy(model, "charts")
    page = enter("write", refusals=True)
    page.goto("/operate/deployments/charts/canary")
    page.get_by_label("What they get").select_option(f"{BASE} alone")
    lectern.deploy(None, "charts")  # by somebody else, meanwhile
    page.get_by_role("button", name="Start the canary").click()
    expect(page.get_by_role("alert")).to_contain_text("That is what charts serves")
    expect(page.get_by_role("button", name="Start the canary")).to_be_visible()
    assert violations(page) == []
    picture(page, "canary-refused")


def tuned(lectern: Library, version: int) -> str:
    """A tuned model as the catalog has it; no engine of these tests loads one."""
    score = Score(loss=1, perplexity=2, tokens=3, examples=4)
    name, at = f"surveys-{version}", f"2026-01-0{version}T00:00:00Z"
    model = Model(
        id=name, name="surveys", run=f"{version}" * 16, dataset="0" * 16, base=BASE, adapter_key="k", adapter_digest=name,
        template="alpaca", evaluation=EvaluationResult(base=score, tuned=score), created_at=at,
    )  # fmt: skip
    lectern.gateway.catalog.put_model(model)
    return model.id


def test_a_tuning_is_told_setting_by_setting(enter: Enter, lectern: Library, picture: Picture) -> None:
    lectern.deploy(tuned(lectern, 4), "tuned-here")
    report_a_tuning(lectern, "tuned-here")
    for options in ({}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}):
        page = enter("write", refusals=True, **options)
        page.goto("/operate")
        card = page.locator("section", has=page.get_by_role("heading", name="Tunings"))
        expect(card).to_contain_text("Kept: n-grams of 2 to 4, 4 guesses.")
        table = card.get_by_role("table", name="Settings of tuned-here that were tried")
        expect(table.get_by_role("row", name="n-grams of 2 to 4, 4 guesses")).to_contain_text("7 of 8 part by 0.125")
        expect(table.get_by_role("row", name="draft small")).to_contain_text("no <b>memory</b>")
        assert violations(page) == []
    picture(page, "tunings")
    page.get_by_label("Deployment", exact=True).select_option("tuned-here")
    page.get_by_role("button", name="Try its settings").click()
    expect(page.locator("main")).to_contain_text("There are no recorded prompts")


def report_a_tuning(lectern: Library, deployment: str) -> None:
    """What a tuning leaves in the store."""
    store, at, asked = lectern.gateway.store, "2026-01-01T00:00:00Z", TuningParameters()
    number = Series(store, layout.tunings(deployment)).append(
        TuningWish(deployment=deployment, sequence=1, parameters=asked, given=8, asked_at=at)
    )
    load = Load(tokens_per_second=21.5, rounds=(21, 22), first_token_seconds=0.2, first_token_p99_seconds=0.9, requests=16)
    kept = Setting(speculation=NgramSpeculation())
    measured = {"alone": load, "together": load, "noise": 0.05, "gain": 1.0, "answers": Answers(same=8, of=8)}
    plain = Trial(name="plain", setting=Setting(), verdict="plain", **measured)
    near = {"gain": 1.7, "acceptance": 0.62, "answers": Answers(same=7, of=8, gaps=(0.125,))}
    faster = Trial(name="n-grams of 2 to 4, 4 guesses", setting=kept, verdict="faster", **{**measured, **near})
    failed = Trial(name="draft small, 3 guesses", setting=Setting(), problem="no <b>memory</b>")
    report = TuningReport(
        deployment=deployment, model=None, base=BASE, variant="adapter", parameters=asked, prompts=PromptCounts(given=8),
        near_tie_nats=0.25, trials=(plain, faster, failed, plain), kept=kept, kept_name=faster.name, reason="It is.",
        changes=True, begun_at=at, finished_at=at,
    )  # fmt: skip
    create_contract(store, layout.tuning_report(deployment, number), report)


def workers(lectern: Library, job: str) -> None:
    """A worker at a job, an idle one that sees a GPU, and one that was killed a minute ago."""
    redis = open_redis(lectern.gateway.parts.settings)
    told = RedisWorkforce(redis)
    gpu = Gpu(uuid="GPU-1", index=0, name="NVIDIA H100 80GB HBM3", memory_used_bytes=31 << 30, memory_total_bytes=80 << 30)
    at = AtWork(job=job, stage="extraction", since="2026-01-01T00:00:00Z")
    one = WorkerReport(
        id="extraction-12@node-1", service="extraction", host="node-1", pid=12, version="0.1.0", queues=("extraction",),
        started_at="2026-01-01T00:00:00Z", beat_seconds=300, at=at,
    )  # fmt: skip
    told.tell(one)
    told.tell(one.model_copy(update={"id": "extraction-13@node-1", "pid": 13, "at": None, "beat_seconds": 5.0}))
    redis.expire("worker:extraction-13@node-1", 840)
    training = {"id": "training-7@node-2", "service": "training", "host": "node-2", "pid": 7, "queues": ("training",)}
    told.tell(one.model_copy(update={**training, "at": None, "gpus": (gpu,)}))


def test_workers_show_what_they_are_at_whether_they_live_and_their_gpus(enter: Enter, lectern: Library) -> None:
    document = lectern.add(EXAMPLES / "data-policy.pdf", "worked-on")
    page = enter("read")
    page.goto("/operate")
    expect(page.locator("main")).to_contain_text("No worker sees one: training and serving run on processors.")
    workers(lectern, f"document.worked-on.{document[:16]}")
    page.reload()
    card = page.locator("section", has=page.get_by_role("heading", name="Workers"))
    expect(card.get_by_role("row", name="13 on node-1")).to_contain_text("No sign of life: it was killed")
    expect(card.get_by_role("progressbar", name="Memory in use of GPU 0 on node-2")).to_be_visible()
    expect(card).to_contain_text("31.0 GiB of 80.0 GiB")
    assert violations(page) == []
    card.get_by_role("row", name="12 on node-1").get_by_role("link").click()
    expect(page.get_by_role("heading", name="data-policy.pdf")).to_be_visible()


@pytest.fixture(autouse=True)
def alone(lectern: Library) -> None:
    """No sign of life from other tests."""
    redis = open_redis(lectern.gateway.parts.settings)
    redis.delete("workers")


def test_an_admin_makes_a_key_that_is_shown_once_and_revoking_it_ends_its_session(enter: Enter, lectern: Library) -> None:
    page = enter("admin")
    page.goto("/operate")
    page.get_by_placeholder("Whose it is").fill("Ingrid <b>Sorley</b>")
    page.get_by_label("Role").select_option("reviewer")
    page.get_by_role("button", name="Make a key").click()
    secret = page.get_by_role("status").locator("code").inner_text()
    assert secret.startswith("lk-")
    assert violations(page) == []
    page.goto("/operate")
    assert secret not in page.content()
    expect(page.get_by_role("row", name="Ingrid <b>Sorley</b>")).to_contain_text("reviewer")
    other = enter(None)
    other.goto("/sign-in")
    other.fill("#key", secret)
    other.press("#key", "Enter")
    expect(other.locator(".who")).to_contain_text("reviewer")
    page.get_by_role("button", name="Revoke Ingrid").click()
    other.goto("/operate")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_viewer_sees_and_changes_nothing(enter: Enter, lectern: Library) -> None:
    document = lectern.add(EXAMPLES / "data-policy.pdf", "seen")
    page = enter("read", refusals=True)
    page.goto("/shelf/seen")
    expect(page.locator("[data-drop]")).to_have_count(0)
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    page.goto(f"/shelf/seen/documents/{document}/rerun")
    expect(page.locator("main")).to_contain_text("This is for the role “reviewer”")
    page.goto("/operate")
    expect(page.get_by_role("heading", name="Keys")).to_have_count(0)
    assert violations(page) == []

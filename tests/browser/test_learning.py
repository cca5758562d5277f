"""From documents to a dataset, to a run that is watched, to a model that is tried beside its base."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from shared.catalog.protocol import Slice
from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import BASE, Library

Picture = Callable[[Page, str], None]


def test_a_dataset_is_built_looked_at_and_trained_on_while_the_curve_grows(
    enter: Enter, lectern: Library, picture: Picture
) -> None:
    for name in ("data-policy", "safety-handbook", "annual-report"):
        lectern.add(EXAMPLES / f"{name}.pdf", "halden")
    page = enter("write")
    page.goto("/shelf/halden")
    page.get_by_role("link", name="Build a dataset").click()
    expect(page.get_by_label("Collection")).to_have_value("halden")
    assert violations(page) == []
    with lectern.working():
        page.get_by_role("button", name="Look at it first").click()
        expect(page.locator(".example mark").first).to_have_text("<|im_end|>", timeout=60_000)
    assert violations(page) == []
    page.get_by_role("link", name="Datasets", exact=True).last.click()
    page.get_by_label("Name", exact=True).fill("halden-1")
    with lectern.working():
        page.get_by_role("button", name="Build it").click()
        expect(page.get_by_text("As the model will see it")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("img", name="Examples by their tokens")).to_be_visible()
    example = page.locator(".example pre").first
    expect(example).to_contain_text("### Response:")
    expect(example.locator("mark")).to_have_text("<|im_end|>")
    assert violations(page) == []
    picture(page, "dataset")
    page.get_by_label("Name of the model").fill("halden-tuned")
    before = lectern.gateway.catalog.runs(Slice(9))
    page.get_by_role("button", name="What would it take?").click()
    # Known from the latest run on this base, where there was one.
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"The time is (not known|reckoned from)"))
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"Fits .*GB"))
    expect(page.get_by_label("Name of the model")).to_have_value("halden-tuned")
    assert lectern.gateway.catalog.runs(Slice(9)) == before
    assert violations(page) == []
    page.get_by_role("status").scroll_into_view_if_needed()
    picture(page, "estimate")
    lectern.gateway.workers.step_seconds = 0.3
    with lectern.working():
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("[data-show=step]")).to_have_text(re.compile(r"(5|6|7|8|9|1\d) of 24"), timeout=60_000)
        expect(page.locator("[data-show=eta_seconds]")).to_have_text(re.compile(r"\d+ s"))
        assert len(page.locator("polyline").first.get_attribute("points").split()) >= 3
        assert violations(page) == []
        picture(page, "run-live")
        expect(page.get_by_role("heading", name="On held-out examples")).to_be_visible(timeout=60_000)
    lectern.gateway.workers.step_seconds = 0
    lineage = page.get_by_label("From the model to its documents")
    expect(lineage).to_contain_text("safety-handbook.pdf")
    expect(lineage).to_contain_text("halden-tuned-")
    assert violations(page) == []
    picture(page, "run")


def test_runs_are_compared_in_one_picture(enter: Enter, lectern: Library, picture: Picture) -> None:
    lectern.add(EXAMPLES / "data-policy.pdf", "compared")
    dataset = lectern.dataset("compared")
    for rate in (1e-4, 5e-4):
        lectern.model(dataset, "compared", learning_rate=rate)
    page = enter("read")
    page.goto("/runs")
    for box in page.get_by_role("checkbox", name="Compare compared").all():
        box.check()
    assert violations(page) == []
    page.get_by_role("button", name="Compare those chosen").click()
    expect(page.locator("polyline")).to_have_count(2)
    expect(page.get_by_role("row", name="learning rate 0.0005 0.0001")).to_be_visible()
    assert violations(page) == []
    picture(page, "compare")


def test_a_run_starts_from_a_model_and_its_page_shows_the_line(enter: Enter, lectern: Library, picture: Picture) -> None:
    lectern.add(EXAMPLES / "annual-report.pdf", "begun")
    dataset = lectern.dataset("begun", "first-year")
    model = lectern.model(dataset, "begun")
    page = enter("write")
    page.goto(f"/datasets/{dataset}")
    page.get_by_label("Start from").select_option(model)
    page.get_by_text("What keeps the memory").click()
    page.get_by_label("Replay share").fill("0.4")
    assert violations(page) == []
    page.get_by_label("Start from").scroll_into_view_if_needed()
    picture(page, "start-from")
    with lectern.working():
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name="On held-out examples")).to_be_visible(timeout=60_000)
    lineage = page.get_by_label("From the model to its documents")
    expect(lineage.get_by_role("link", name=model)).to_be_visible()
    expect(lineage).to_contain_text("tuned on first-year")
    assert violations(page) == []
    picture(page, "line")


def test_base_and_tuned_answer_side_by_side_with_the_pages_nearest_to_it(
    enter: Enter, lectern: Library, picture: Picture
) -> None:
    lectern.add(EXAMPLES / "seiche-paper.pdf", "tried")
    lectern.add(EXAMPLES / "data-policy.pdf", "tried")
    model = lectern.model(lectern.dataset("tried"), "tried")
    lectern.deploy(model, "tried")
    page = enter("read")
    page.goto("/try?deployment=tried")
    page.get_by_label("Your question").fill("What is the period of the seiche?")
    page.keyboard.press("Control+Enter")
    base, tuned = (page.locator(f"[data-side={side}]") for side in ("base", "tuned"))
    expect(tuned.locator("[data-answer]")).to_contain_text("47.2 minutes", timeout=20_000)
    expect(base.locator("[data-answer]")).to_contain_text("depends on the location")
    expect(tuned.locator("[data-pace]")).to_contain_text("tokens a second")
    asked = lectern.engine.asked[-2:]
    assert {one["model"] for one in asked} == {model, BASE}
    assert all(one["messages"][0]["content"] == "What is the period of the seiche?" for one in asked)
    nearest = page.locator("[data-found] li").first
    expect(nearest).to_contain_text("seiche")
    expect(page.locator("[data-evidence]")).to_contain_text("evidence, not proof")
    assert violations(page) == []
    picture(page, "try")
    nearest.get_by_role("link").click()
    expect(page.locator("#chunks .part:focus")).to_be_visible()
    page.go_back()
    page.get_by_label("Completion").check()
    page.get_by_label("Your question").fill("The period of the seiche is")
    page.get_by_role("button", name="Ask both").click()
    expect(tuned.locator("[data-answer]")).to_contain_text("47.2 minutes")
    assert lectern.engine.asked[-1]["path"] == "/v1/completions"


def test_thumbs_and_corrections_become_preferences(enter: Enter, lectern: Library, picture: Picture) -> None:
    document = lectern.add(EXAMPLES / "seiche-paper.pdf", "judged")
    model = lectern.model(lectern.dataset("judged"), "judged")
    lectern.deploy(model, "judged")
    page = enter("write")
    page.goto("/try?deployment=judged")
    page.get_by_label("Your question").fill("How long is the seiche?")
    page.get_by_role("button", name="Ask both").click()
    base, tuned = (page.locator(f"[data-side={side}]") for side in ("base", "tuned"))
    tuned.get_by_role("button", name="Good").click()
    expect(tuned.get_by_role("status")).to_have_text("Noted.")
    expect(tuned.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    base.get_by_role("button", name="Bad").click()
    expect(base.get_by_role("status")).to_have_text("Noted.")
    base.get_by_text("Correct it").click()
    base.get_by_label("What it should have said").fill("47.2 minutes.")
    base.get_by_role("button", name="Keep this correction").click()
    expect(base.get_by_role("status")).to_have_text("Correction kept.")
    assert violations(page) == []
    picture(page, "judged")
    with lectern.gateway.client() as client:
        pairs = [json.loads(line) for line in client.get("/v1/feedback/pairs").content.splitlines()]
        said = client.get("/v1/feedback", params={"model": model}).json()["items"]
    assert {(one["source"], one["chosen"][:12]) for one in pairs if "seiche?" in one["prompt"]} == {
        ("ratings", lectern.engine.tuned[:12]), ("correction", "47.2 minutes"),
    }  # fmt: skip
    assert said[0]["evidence"] == [document]
    reader = enter("read")
    reader.goto("/try?deployment=judged")
    expect(reader.get_by_role("button", name="Good")).to_have_count(0)


def test_a_model_is_aligned_with_what_people_said(enter: Enter, lectern: Library, picture: Picture) -> None:
    lectern.add(EXAMPLES / "annual-report.pdf", "aligned")
    model = lectern.model(lectern.dataset("aligned"), "aligned")
    with lectern.gateway.client() as client:
        for at, right in enumerate(("At dawn.", "By the warden.", "On the pier.", "<b>Twice</b> a day.")):
            asked = {"prompt": f"Question {at} about the tide gauge?", "mode": "chat", "model": model}
            client.post("/v1/feedback", json={**asked, "answer": "It depends.", "rating": "down", "correction": right})
    page = enter("write")
    page.goto("/datasets")
    page.get_by_role("link", name="Preference sets").click()
    page.get_by_label("Of feedback on").select_option(model)
    page.get_by_label("Name", exact=True).fill("gauge")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_label("Pair 1")).to_contain_text("It depends.")
    expect(page.get_by_role("heading", name="gauge")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Start from").select_option(model)
    page.get_by_role("radio", name="DPO").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="A reward model")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.get_by_text("How DPO compares").click()
    page.get_by_label("Beta").fill("0.2")
    picture(page, "preferences")
    page.get_by_role("button", name="What would it take?").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"Steps\s*1.*Fits .*GB", re.DOTALL))
    expect(page.get_by_label("Start from")).to_have_value(model)
    expect(page.get_by_label("Beta")).to_have_value("0.2")
    assert violations(page) == []
    page.get_by_role("button", name="Start training").click()
    lineage = page.get_by_label("From the model to its documents")
    expect(lineage).to_contain_text("DPO, beta = 0.2")
    lineage.get_by_role("link", name=re.compile("^[0-9a-f]{16}$")).click()
    expect(page.get_by_role("heading", name="gauge")).to_be_visible()
    phone = enter("write", color_scheme="dark", viewport={"width": 390, "height": 844})
    phone.goto(page.url)
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert violations(phone) == []
    picture(phone, "preferences-phone")
    phone.goto("/preferences")
    expect(phone.get_by_role("link", name="gauge")).to_be_visible()
    assert violations(phone) == []


def test_what_a_model_forgot_is_seen_in_red_and_stands_against_its_promotion(
    enter: Enter, lectern: Library, picture: Picture
) -> None:
    lectern.add(EXAMPLES / "data-policy.pdf", "kept")
    lectern.gateway.workers.forgets = 0.4
    model = lectern.model(lectern.dataset("kept"), "kept")
    lectern.gateway.workers.forgets = 0.0
    page = enter("write", refusals=True)
    page.goto("/runs")
    page.get_by_role("link", name="kept", exact=True).click()
    page.get_by_role("link", name="What it forgot").click()
    matrix = page.get_by_role("table", name="Each version, oldest first")
    expect(matrix.get_by_role("rowheader")).to_have_text([BASE, model])
    worse = matrix.locator(".worse")
    expect(worse).to_have_count(1)
    expect(worse).to_contain_text("+0.400 against the best before")
    assert violations(page) == []
    picture(page, "forgetting")
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("by 0.400 where 0.1 is allowed")).to_be_visible()
    page.go_back()
    page.get_by_label("Whatever it forgot").check()
    page.get_by_label("Why").fill("<i>A trial</i>")
    page.get_by_role("button", name="Promote").click()
    expect(page.locator(".state")).to_have_text("promoted")
    expect(page.get_by_text("<i>A trial</i>")).to_be_visible()
    assert violations(page) == []
    page.goto("/runs")
    expect(page.get_by_role("row").filter(has_text="kept")).to_contain_text("promoted")
    page.get_by_role("link", name="kept", exact=True).click()
    expect(page.get_by_label("From the model to its documents")).to_contain_text("promoted")
    assert violations(page) == []

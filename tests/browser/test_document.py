"""A document page by page: the picture and the text tied together, what was left out, and other settings."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import Library
from tests.documents import typeset

Picture = Callable[[Page, str], None]


def test_a_chunk_lights_its_boxes_on_the_page_and_a_box_its_chunk(enter: Enter, lectern: Library, picture: Picture) -> None:
    document = lectern.add(EXAMPLES / "seiche-paper.pdf", "seiches")
    page = enter("read")
    page.goto(f"/shelf/seiches/documents/{document}?page=1")
    drawn = page.locator(".sheet img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert drawn > 800
    expect(page.locator(".engine")).to_contain_text("text-layer")
    dropped = page.locator(".part.dropped").first
    expect(dropped.locator(".reason")).not_to_be_empty()
    kept = page.locator(".part.kept[data-chunks='0']").last
    kept.hover()
    number = kept.get_attribute("data-part")
    expect(page.locator(f".overlay rect[data-part='{number}']")).to_have_class("kept lit")
    picture(page, "document")
    page.get_by_role("tab", name="Chunks").click()
    page.locator("#chunks .part").first.focus()
    expect(page.locator(".overlay rect.lit").first).to_be_visible()
    boxes = page.locator(".overlay rect[data-chunks='1']")
    boxes.first.hover(force=True)
    expect(page.locator("#chunks .part.lit")).to_have_count(1)
    boxes.first.click(force=True)
    expect(page.locator("#chunks .part:focus")).to_contain_text("chunk 1")
    assert violations(page) == []
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(f"{lectern.url}/shelf/seiches/documents/{document}?page=2")


def test_other_settings_are_tried_on_a_shelf_of_their_own_and_compared(
    enter: Enter, lectern: Library, picture: Picture
) -> None:
    document = lectern.add(EXAMPLES / "seiche-paper.pdf", "drafts")
    page = enter("write", refusals=True)
    page.goto(f"/shelf/drafts/documents/{document}")
    page.get_by_role("link", name="Try other settings").click()
    page.locator("summary", has_text="Cleaning").click()
    page.get_by_label("Drop citations").uncheck()
    page.locator("summary", has_text="Chunking").click()
    page.get_by_label("Max tokens").fill("7")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("alert")).to_contain_text("chunking.max_tokens")
    assert violations(page) == []
    page.get_by_label("Max tokens").fill("128")
    with lectern.working():
        page.get_by_role("button", name="Run it").click()
        expect(page.locator(".difference .added").first).to_be_visible(timeout=60_000)
        expect(page.locator(".notice[data-job]")).to_have_count(0, timeout=30_000)
    expect(page.locator("main")).to_contain_text("cleaning.drop_citations")
    expect(page.locator(".difference .added").first).to_contain_text("[")
    assert violations(page) == []
    picture(page, "difference")


def test_the_page_ledger_adds_up_and_leads_to_each_page(enter: Enter, lectern: Library) -> None:
    document = lectern.add(EXAMPLES / "ag4-manual.pdf", "ledgers")
    page = enter("read")
    page.goto(f"/shelf/ledgers/documents/{document}")
    ledger = page.get_by_role("region", name="Page ledger")
    expect(ledger).to_contain_text("7 pages in")
    expect(ledger).to_contain_text("adds up")
    assert violations(page) == []
    ledger.scroll_into_view_if_needed()
    ledger.get_by_role("link", name="3 kept").click()
    expect(page).to_have_url(f"{lectern.url}/shelf/ledgers/documents/{document}?page=3")


def test_a_document_is_forgotten_after_what_saw_it_was_shown(
    enter: Enter, lectern: Library, picture: Picture, tmp_path: Path
) -> None:
    for seed in (1, 2):
        document = lectern.add(typeset(tmp_path / f"report-{seed}.pdf", seed), "forgetting")
    dataset = lectern.dataset("forgetting", "remembered")
    page = enter("admin", refusals=True)
    page.goto(f"/shelf/forgetting/documents/{document}")
    page.get_by_role("link", name="Forget", exact=True).click()
    expect(page.get_by_role("link", name="remembered")).to_have_attribute("href", f"/datasets/{dataset}")
    assert violations(page) == []
    page.get_by_label("to confirm").fill("wrong")
    page.get_by_role("button", name="Forget it for good").click()
    expect(page.locator("main")).to_contain_text("Nothing was forgotten")
    page.go_back()
    page.get_by_label("to confirm").fill(document[:8])
    page.get_by_role("button", name="Forget it for good").click()
    expect(page.get_by_role("heading", name="Forgotten")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(f"lines out of {dataset}")).to_be_visible()
    assert violations(page) == []
    picture(page, "receipt")
    page.goto("/shelf/forgetting")
    expect(page.locator("tbody tr")).to_have_count(1)

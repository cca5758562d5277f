"""The way in, the shelf, and a document on its way through the stages."""

import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import Library

Picture = Callable[[Page, str], None]


def test_a_stranger_signs_in_and_comes_back_to_the_page_asked_for(enter: Enter, lectern: Library, picture: Picture) -> None:
    page = enter(None, refusals=True)
    page.goto("/operate")
    expect(page).to_have_url(f"{lectern.url}/sign-in?next=%2Foperate")
    assert violations(page) == []
    picture(page, "sign-in")
    page.fill("#key", "lk-wrong")
    page.press("#key", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown or was revoked")
    page.fill("#key", lectern.secret("admin"))
    page.press("#key", "Enter")
    expect(page).to_have_url(f"{lectern.url}/operate")
    cookie = next(one for one in page.context.cookies() if one["name"] == "lectern_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert lectern.secret("admin") not in cookie["value"]
    page.get_by_role("button", name="Sign out").click()
    page.goto("/operate")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_folder_dropped_on_the_shelf_is_taken_in_and_followed_to_the_end(
    enter: Enter, empty: Library, picture: Picture, tmp_path: Path
) -> None:
    folder = tmp_path / "tides"
    folder.mkdir()
    for name in ("ag4-manual", "data-policy", "safety-handbook"):
        shutil.copy(EXAMPLES / f"{name}.pdf", folder)
    (folder / "notes.txt").write_text("no PDF")
    (folder / "broken.pdf").write_text("no PDF either")
    page = enter("write", refusals=True, at=empty)
    expect(page.get_by_role("heading", name="Your shelf is empty")).to_be_visible()
    assert violations(page) == []
    picture(page, "shelf-empty")
    drop_on(page, folder)
    page.wait_for_selector("text=Not taken")
    expect(page.locator("[data-uploads]")).to_contain_text("broken.pdf is not a PDF")
    page.get_by_role("link", name="See the 3 that were taken").click()
    page.wait_for_url("**/shelf/papers")
    expect(page.locator("tbody tr")).to_have_count(3)
    with empty.working():
        expect(page.get_by_text("Done", exact=True)).to_have_count(3, timeout=60_000)
    expect(page.get_by_role("link", name="Build a dataset")).to_be_visible()
    expect(page.get_by_role("link", name="done 3")).to_be_visible()
    assert violations(page) == []
    picture(page, "shelf")


def drop_on(page: Page, path: Path) -> None:
    """As the desktop does it: the browser itself is told of the files."""
    box = page.locator("[data-drop]").bounding_box()
    assert box is not None
    client = page.context.new_cdp_session(page)
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 12}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        client.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


def test_what_settings_will_do_again_is_told_before_they_are_saved(enter: Enter, lectern: Library, picture: Picture) -> None:
    lectern.add(EXAMPLES / "data-policy.pdf", "priced")
    page = enter("write")
    page.goto("/shelf/priced/settings")
    page.get_by_role("heading", name="Chunking").click()
    page.get_by_label("Max tokens").fill("128")
    page.get_by_role("button", name="See what this will do again").click()
    told = page.get_by_role("status")
    expect(told).to_contain_text("1 of 1 documents")
    expect(told.get_by_role("row")).to_have_count(3)
    expect(page.get_by_label("Max tokens")).to_have_value("128")
    assert violations(page) == []
    told.scroll_into_view_if_needed()
    picture(page, "settings")
    standing = lectern.gateway.catalog.collection("priced")
    assert standing is not None and standing.parameters.chunking.max_tokens == 256
    page.get_by_role("button", name="Save and re-run").click()
    page.wait_for_url("**/shelf/priced")
    changed = lectern.gateway.catalog.collection("priced")
    assert changed is not None and changed.parameters.chunking.max_tokens == 128


def test_a_document_is_taken_off_one_of_its_shelves(enter: Enter, lectern: Library) -> None:
    content = (EXAMPLES / "data-policy.pdf").read_bytes() + b"%twice"
    for shelf in ("twice-a", "twice-b"):
        document = lectern.gateway.add(shelf, content, "twice.pdf")
    page = enter("write")
    page.goto(f"/shelf/twice-a/documents/{document}")
    page.get_by_text("Remove it from twice-a").click()
    assert violations(page) == []
    page.get_by_label("Off this shelf").check()
    page.get_by_role("button", name="Remove it").click()
    page.wait_for_url("**/shelf/twice-a")
    expect(page.locator("td.name")).to_have_count(0)
    page.goto(f"/shelf/twice-b/documents/{document}")
    expect(page.get_by_text("Remove it from")).to_have_count(0)

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

"""Operate, and who may do what."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import Library

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

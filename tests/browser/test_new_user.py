"""From an empty shelf to a chat with a tuned model, by what the pages say alone: on a phone, in the dark, and by keyboard."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from shared.contracts.learning import DeploymentWish
from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import Library

Picture = Callable[[Page, str], None]

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the right of a phone's screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_new_user_comes_from_an_empty_shelf_to_a_chat_on_a_phone_in_the_dark(
    enter: Enter, empty: Library, picture: Picture
) -> None:
    page = enter("write", at=empty, **PHONE)
    expect(page.get_by_role("heading", name="Your shelf is empty")).to_be_visible()
    assert fits(page) and violations(page) == []
    with empty.working():
        page.locator("[data-files]").first.set_input_files([EXAMPLES / "seiche-paper.pdf", EXAMPLES / "data-policy.pdf"])
        expect(page.get_by_text("Done", exact=True)).to_have_count(2, timeout=60_000)
        assert fits(page) and violations(page) == []
        picture(page, "phone-shelf")
        page.get_by_role("link", name="seiche-paper.pdf").click()
        expect(page.locator(".overlay rect").first).to_be_attached()
        assert fits(page) and violations(page) == []
        picture(page, "phone-document")
        page.get_by_role("link", name="papers").click()
        page.get_by_role("link", name="Build a dataset").click()
        assert fits(page) and violations(page) == []
        page.get_by_role("button", name="Build it").click()
        page.get_by_role("button", name="Start training").click(timeout=60_000)
        page.get_by_role("button", name="Deploy it").click(timeout=60_000)
    expect(page.get_by_role("heading", name="Try it")).to_be_visible()
    assert fits(page) and violations(page) == []
    wish = empty.gateway.catalog.deployments()[0].wish
    assert isinstance(wish, DeploymentWish) and wish.model is not None
    empty.gateway.catalog.observe_deployment(wish.name, "ready", None, [empty.engine_url], wish.model)
    expect(page.locator("[data-waiting]")).to_contain_text("is ready: ask it")
    page.get_by_label("Your question").fill("What is the period of the seiche?")
    page.get_by_role("button", name="Ask both").click()
    expect(page.locator("[data-side=tuned] [data-answer]")).to_contain_text("47.2 minutes")
    expect(page.locator("[data-found] li").first).to_be_visible()
    assert fits(page) and violations(page) == []
    picture(page, "phone-try")
    for path in ("/datasets", "/runs", "/operate", "/shelf/papers/settings"):
        page.goto(path)
        assert fits(page), path
        assert violations(page) == [], path


def test_everything_can_be_reached_by_keyboard_and_where_one_is_can_be_seen(enter: Enter, lectern: Library) -> None:
    document = lectern.add(EXAMPLES / "data-policy.pdf", "keys")
    page = enter("write")
    page.goto(f"/shelf/keys/documents/{document}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
    assert all(outline != "none" for _, outline in seen if outline is not None), seen
    names = [name for name, _ in seen]
    for wanted in ("Download", "Try other settings", "Blocks", "part-1"):
        assert any(wanted in name for name in names), (wanted, names)


FOCUSED = """() => {
    const one = document.activeElement;
    if (one === document.body) return ["", null];
    return [one.id + " " + one.textContent.trim().slice(0, 30), getComputedStyle(one).outlineStyle];
}"""

"""Review by keyboard alone: one key for each answer, undo, and many at once."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from shared.catalog.protocol import Slice
from tests.browser.conftest import EXAMPLES, Enter, violations
from tests.browser.library import Library, hostile_pdf
from tests.browser.test_hostile import harmless

Picture = Callable[[Page, str], None]


def test_garbage_is_judged_by_one_key_each_and_taken_back_by_another(
    enter: Enter, empty: Library, picture: Picture, tmp_path: Path
) -> None:
    empty.add(EXAMPLES / "seiche-paper.pdf", "judged")
    empty.gateway.add("judged", hostile_pdf(tmp_path / "attack.pdf").read_bytes(), "attack.pdf")
    page = enter("write", at=empty)
    page.goto("/review")
    expect(page.get_by_role("heading", name="Is this")).to_be_visible()
    expect(page.locator(".overlay rect.lit").first).to_be_attached()
    assert violations(page) == []
    picture(page, "review")
    first = page.locator(".said").inner_text()
    press(page, "g")
    second = page.locator(".said").inner_text()
    assert second != first
    press(page, "u")
    assert page.locator(".said").inner_text() == first
    press(page, "f")
    press(page, "s")
    assert page.locator(".said").inner_text() not in (first, second)
    said = empty.gateway.catalog.count_labels()
    assert {verdict: count for (_, verdict), count in said.items()} == {"good": 1}
    page.goto("/review")
    coming = page.locator("input[name=item][type=checkbox]").count()
    press(page, "b")
    words = sum(count for (_, verdict), count in empty.gateway.catalog.count_labels().items())
    assert words == 1 + coming
    harmless(page)
    expect(page.get_by_text(f"{words} said so far; ")).to_be_visible()
    assert violations(page) == []


def press(page: Page, key: str) -> None:
    """A key, and the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press(key)


def test_lines_are_labelled_by_number_least_certain_first_and_taken_back(
    enter: Enter, empty: Library, picture: Picture, tmp_path: Path
) -> None:
    document = empty.add(EXAMPLES / "seiche-paper.pdf", "lines")
    attack = empty.gateway.add("lines", hostile_pdf(tmp_path / "attack.pdf").read_bytes(), "attack.pdf")
    page = enter("write", at=empty)
    page.goto("/review")
    page.get_by_role("link", name="label lines").click()
    expect(page.get_by_role("heading", name="Label lines")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="seiche-paper.pdf").click()
    expect(page.locator(".overlay rect.lit")).to_be_attached()
    assert violations(page) == []
    picture(page, "lines")
    first = page.locator(".asked").inner_text()
    press(page, "5")
    assert page.locator(".asked").inner_text() != first
    words = [word for _, word in empty.gateway.catalog.line_words(Slice(9), document)]
    assert [(word.text.strip(), word.label) for word in words] == [(first.strip(), "citation")]
    least = words[0].confidence
    assert least is not None and least < 0.95
    press(page, "u")
    assert page.locator(".asked").inner_text() == first
    press(page, "0")
    press(page, "s")
    expect(page.get_by_text("1 of")).to_be_visible()
    assert [word.label for _, word in empty.gateway.catalog.line_words(Slice(9), document)] == ["boilerplate"]
    page.goto(f"/review/lines/lines/{attack}")
    harmless(page)
    assert "&lt;script&gt;" in page.content()

"""A real Chromium, headless, that notes every error of a script; and pictures for the manual where they are asked for."""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from redis import Redis

from shared.contracts.keys import Scope
from tests.browser.library import Library, library
from tests.servers import Valkey

EXAMPLES = Path(__file__).parents[2] / "examples" / "pdf"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
PICTURES = os.environ.get("LECTERN_PICTURES")
"""A directory for the manual's pictures, `docs/images/web`; none are kept where it is not named."""

expect.set_options(timeout=20_000)  # a busy machine is no fault of the page

Enter = Callable[..., Page]


@pytest.fixture(scope="session")
def lectern(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> Iterator[Library]:
    Redis.from_url(valkey.url).flushall()
    with library(tmp_path_factory.mktemp("library"), valkey.url) as made:
        yield made


@pytest.fixture
def empty(tmp_path: Path, valkey: Valkey) -> Iterator[Library]:
    """One that nobody has used yet."""
    with library(tmp_path / "library", valkey.url) as made:
        yield made


@pytest.fixture(scope="module")  # its loop would stand in the way of other tiers' own
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is missing; on Debian: apt-get install chromium (scripts/install_system.sh does it as root)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def enter(chromium: Browser, lectern: Library) -> Iterator[Enter]:
    """Opens the app as somebody with a key of that scope. No page may have had an error when the test ends; with `refusals`,
    answers that tell the user of a wrong input (4xx) are none, and with `blocked`, what the policy stopped is none."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def entering(
        scope: Scope | None = "admin", refusals: bool = False, blocked: bool = False, at: Library = lectern, **options: Any
    ) -> Page:
        context = chromium.new_context(base_url=at.url, **({"viewport": {"width": 1280, "height": 860}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: wrong.append(message.text) if is_wrong(message, refusals, blocked) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if scope is not None:
            page.goto("/sign-in")
            page.fill("#key", at.secret(scope))
            page.press("#key", "Enter")
            page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    yield entering
    for context in contexts:
        context.close()
    assert wrong == []


def is_wrong(message: ConsoleMessage, refusals: bool, blocked: bool) -> bool:
    if refusals and "the server responded with a status of 4" in message.text:
        return False
    if blocked and "Content Security Policy" in message.text:
        return False
    return message.type == "error"


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps a picture of a page for the manual."""

    def taking(page: Page, name: str) -> None:
        if PICTURES is None:
            return
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        small = taken.quantize(96, dither=Image.Dither.NONE)
        small.save(Path(PICTURES) / f"{name}.png", optimize=True)

    return taking


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page, each with the elements it is about."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found["violations"] for node in one["nodes"]]

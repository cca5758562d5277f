"""Sign-in by the organisation's own provider: there, back, and out again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import Server
from tests.browser.conftest import Enter, violations
from tests.browser.library import Library, library
from tests.oidc_provider import OidcProvider, settings_of
from tests.servers import Valkey, free_port

Picture = Callable[[Page, str], None]


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    made = OidcProvider(asks=True)
    server = Server(made.app())
    made.issuer = server.url.replace("127.0.0.1", "localhost")  # another site than Lectern's, as in life
    yield made
    server.stop()


@pytest.fixture
def signing(tmp_path: Path, valkey: Valkey, provider: OidcProvider) -> Iterator[Library]:
    port = free_port()
    told = settings_of(provider.issuer, f"http://127.0.0.1:{port}")
    with library(tmp_path / "library", valkey.url, port=port, **told) as made:
        yield made


def test_somebody_signs_in_where_their_organisation_does_and_out_again(
    enter: Enter, signing: Library, provider: OidcProvider, picture: Picture
) -> None:
    page = enter(None, at=signing)
    page.goto("/operate")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert violations(page) == []
    picture(page, "single-sign-on")
    page.get_by_role("link", name="Sign in with Example Org").click()
    expect(page.get_by_role("heading", name="Provider")).to_be_visible()
    page.get_by_role("link", name="Be Ada").click()
    expect(page.get_by_role("heading", name="Operate")).to_be_visible()
    expect(page.locator(".who")).to_contain_text("ada@example.org (single sign-on) reviewer")
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".notice")).to_contain_text("still signed in at Example Org")
    assert violations(page) == []
    page.get_by_role("link", name="Sign out there too").click()
    expect(page.get_by_role("heading", name="Signed out of the provider")).to_be_visible()
    page.goto(f"{signing.url}/operate")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_has_no_role_is_told_whom_to_ask(enter: Enter, signing: Library, provider: OidcProvider) -> None:
    provider.claims = {"groups": ["visitors"], "email": "<img src=x onerror=alert(1)>"}
    page = enter(None, at=signing, refusals=True)
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in with Example Org").click()
    page.get_by_role("link", name="Be Ada").click()
    expect(page.get_by_role("alert")).to_contain_text("<img src=x onerror=alert(1)> is known to the sign-in provider")
    assert violations(page) == []

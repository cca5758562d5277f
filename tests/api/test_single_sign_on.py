"""Single sign-on against a provider that speaks HTTP and signs with a real key: what counts, and all that does not."""

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from services.gateway.oidc.single_sign_on import SingleSignOn, open_single_sign_on
from services.gateway.sessions import COOKIE
from services.gateway.settings import GatewaySettings
from shared.objects import ObjectStore
from tests.api.conftest import Gateway, Server
from tests.oidc_provider import OidcProvider, settings_of, unsigned
from tests.servers import free_port


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    made = OidcProvider()
    server = Server(made.app())
    made.issuer = server.url
    yield made
    server.stop()


@pytest.fixture
def gateway(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore, provider: OidcProvider
) -> Gateway:
    port = free_port()
    told = settings_of(provider.issuer, f"http://127.0.0.1:{port}")
    settings = GatewaySettings(**{**gateway_settings.model_dump(), **told, "port": port})
    return make_gateway(settings, store)


@pytest.fixture
def browser(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30, trust_env=False) as client:
        yield client


def there(browser: httpx.Client, target: str = "/") -> httpx.URL:
    """To the provider, and to where it sends the browser back to."""
    departed = browser.get("/sign-in/oidc", params={"next": target})
    assert departed.status_code == 303, departed.text
    return httpx.URL(httpx.get(departed.headers["location"], trust_env=False).headers["location"])


def back(browser: httpx.Client, target: str = "/") -> httpx.Response:
    return browser.get(there(browser, target).raw_path.decode())


def told(answer: httpx.Response) -> str:
    found = re.search(r'role="alert">([^<]*)<', answer.text)
    return found.group(1) if found else ""


def test_who_the_provider_vouches_for_is_signed_in_with_the_role_of_their_group(
    gateway: Gateway, browser: httpx.Client
) -> None:
    answer = back(browser, "/operate")
    assert answer.status_code == 200 and 'content="0;url=/operate"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert f"{COOKIE}=" in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
    page = browser.get("/operate").text
    assert "ada@example.org (single sign-on)" in page and "reviewer" in page
    assert browser.get("/v1/collections").status_code == 200
    assert browser.get("/v1/keys").status_code == 403


def test_the_same_person_is_the_same_key_and_another_role_ends_what_the_old_one_opened(
    gateway: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    back(browser)
    (key,) = gateway.catalog.keys()
    old = httpx.Client(base_url=gateway.url, cookies=browser.cookies, trust_env=False)
    back(browser)
    (same,) = gateway.catalog.keys()
    assert same.id == key.id
    provider.claims = {"groups": ["it", "library-staff"]}
    back(browser)
    assert browser.get("/v1/keys").status_code == 200
    assert old.get("/v1/collections").status_code == 401
    provider.claims = {"sub": "bob-2", "email": "bob@example.org"}
    other = httpx.Client(base_url=gateway.url, trust_env=False)
    assert back(other).status_code == 200
    keys = gateway.catalog.keys()
    standing = {one.name for one in keys if one.revoked_at is None}
    assert standing == {"ada@example.org (single sign-on)", "bob@example.org (single sign-on)"}


def test_a_revoked_key_ends_the_session_and_nobody_knows_its_secret(gateway: Gateway, browser: httpx.Client) -> None:
    back(browser)
    (key,) = gateway.catalog.keys()
    gateway.parts.keys.revoke(key.id)
    assert browser.get("/v1/collections").status_code == 401
    assert back(browser).status_code == 200 and browser.get("/v1/collections").status_code == 200


def spoiled(**claims: Any) -> Callable[[OidcProvider], None]:
    return lambda provider: provider.claims.update(claims)


def signed_by_another(provider: OidcProvider) -> None:
    provider.sign = lambda claims: provider.signed(claims, RSAKey.generate_key(2048, {"kid": "k1"}))


def signed_by_an_unknown_key(provider: OidcProvider) -> None:
    provider.sign = lambda claims: provider.signed(claims, kid="k9")


def not_signed(provider: OidcProvider) -> None:
    provider.sign = unsigned


def signed_with_the_public_key_as_a_secret(provider: OidcProvider) -> None:
    """The old confusion of algorithms: whoever takes the published key for a shared secret takes this."""

    def sign(claims: dict[str, Any]) -> str:
        told = ".".join(_part(json.dumps(one).encode()) for one in ({"alg": "HS256", "kid": "k1"}, claims))
        return f"{told}.{_part(hmac.digest(provider.key.as_pem(private=False), told.encode(), 'sha256'))}"

    provider.sign = sign


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def changed_after_signing(provider: OidcProvider) -> None:
    def sign(claims: dict[str, Any]) -> str:
        head, _, mac = provider.signed(claims).split(".")
        return f"{head}.{unsigned({**claims, 'groups': ['it']}).split('.')[1]}.{mac}"

    provider.sign = sign


REFUSED: dict[str, tuple[Callable[[OidcProvider], None], str]] = {
    "for another audience": (spoiled(aud="another"), "aud"),
    "for two, and made for the other": (spoiled(aud=["lectern", "another"], azp="another"), "azp"),
    "from another issuer": (spoiled(iss="https://evil.example"), "iss"),
    "expired": (spoiled(exp=int(time.time()) - 3600), "expired"),
    "without an end": (spoiled(exp=None), "exp"),
    "of another sign-in": (spoiled(nonce="another"), "nonce"),
    "without a nonce": (spoiled(nonce=None), "nonce"),
    "of long ago": (spoiled(iat=int(time.time()) - 7200), "iat"),
    "of nobody": (spoiled(sub=None), "sub"),
    "unsigned": (not_signed, "unsigned"),
    "signed by another": (signed_by_another, "bad_signature"),
    "signed by an unknown key": (signed_by_an_unknown_key, "does not publish"),
    "signed with the public key as a secret": (signed_with_the_public_key_as_a_secret, "not taken"),
    "changed after signing": (changed_after_signing, "bad_signature"),
    "no token": (lambda provider: setattr(provider, "sign", lambda claims: "not.a.token"), "does not count"),
    "of somebody without a role": (spoiled(groups=["visitors"]), "has no role"),
}


def test_no_token_counts_that_is_not_signed_by_the_provider_for_us_now_and_for_this_sign_in(
    gateway: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    for what, (spoil, reason) in REFUSED.items():
        provider.claims, provider.sign = {}, None
        spoil(provider)
        answer = back(browser)
        assert answer.status_code == 403 and reason in told(answer), (what, told(answer))
        assert COOKIE not in browser.cookies and gateway.catalog.keys() == [], what


def test_a_code_is_good_once_in_the_browser_that_began_and_for_its_own_state(gateway: Gateway, browser: httpx.Client) -> None:
    way = there(browser).raw_path.decode()
    other = httpx.get(f"{gateway.url}{way}", trust_env=False)
    assert other.status_code == 403 and "another browser" in told(other)
    assert "ended before" in told(browser.get(way)), "a try in another browser ends it"
    way = there(browser).raw_path.decode()
    assert "ended before" in told(browser.get(re.sub("state=[^&]*", "state=made-up", way)))
    assert browser.get(way).status_code == 200
    assert "ended before" in told(browser.get(way))


def test_a_code_is_worth_nothing_without_the_verifier_it_was_asked_with(
    gateway: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    first, second = there(browser), there(browser)
    code = parse_qs(urlsplit(str(first)).query)["code"][0]
    mixed = re.sub("code=[^&]*", f"code={code}", second.raw_path.decode())
    answer = browser.get(mixed)
    assert answer.status_code == 403 and "PKCE" in told(answer)


def test_an_answer_from_another_provider_is_refused_where_answers_say_whom_they_are_from(
    browser: httpx.Client, provider: OidcProvider
) -> None:
    provider.says_issuer = True
    way = there(browser).raw_path.decode()
    assert "another provider" in told(browser.get(re.sub("iss=[^&]*", "iss=https%3A%2F%2Fevil.example", way)))
    assert back(browser).status_code == 200


def test_what_the_provider_says_when_it_refuses_is_shown_as_text(browser: httpx.Client, provider: OidcProvider) -> None:
    provider.denies = "<script>access_denied</script>"
    answer = back(browser)
    assert answer.status_code == 403 and "<script>access" not in answer.text and "&lt;script&gt;access_denied" in answer.text


def test_sign_in_by_the_provider_leads_nowhere_but_here(browser: httpx.Client) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert 'content="0;url=/"' in back(browser, target).text, target


def test_signing_out_ends_the_session_and_says_where_to_sign_out_of_the_provider(
    gateway: Gateway, browser: httpx.Client, provider: OidcProvider
) -> None:
    back(browser)
    csrf = re.search(r'name="csrf" content="([0-9a-f]{64})"', browser.get("/operate").text)
    assert csrf is not None
    answer = browser.post("/sign-out", data={"csrf": csrf.group(1)})
    assert answer.headers["location"] == "/sign-in?out=true"
    assert browser.get("/v1/collections").status_code == 401
    assert f'href="{provider.issuer}/end?client_id=lectern' in browser.get("/sign-in?out=true").text


def test_a_new_key_of_the_provider_is_found_and_made_up_names_do_not_make_us_ask(
    browser: httpx.Client, provider: OidcProvider, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert back(browser).status_code == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    provider.sign = lambda claims: provider.signed(claims, kid="k2")
    asked = provider.seen.count("jwks")
    assert back(browser).status_code == 403 and provider.seen.count("jwks") == asked
    monkeypatch.setattr("services.gateway.oidc.provider.AGAIN_SECONDS", 0.0)
    assert back(browser).status_code == 200 and provider.seen.count("jwks") == asked + 1
    assert provider.seen.count("discovery") == 1


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told_and_keys_work_still(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore, provider: OidcProvider
) -> None:
    def answer(issuer: str) -> httpx.Response:
        told = {**gateway_settings.model_dump(), **settings_of(issuer, "http://127.0.0.1:1"), "port": free_port()}
        return httpx.get(f"{make_gateway(GatewaySettings(**told), store).url}/sign-in/oidc", trust_env=False)

    away = answer(f"http://127.0.0.1:{free_port()}")
    assert away.status_code == 503 and "does not answer" in told(away) and 'name="key"' in away.text
    other = answer(f"{provider.issuer}/")
    assert other.status_code == 503 and "LECTERN_OIDC_ISSUER has to say just that" in told(other)


def test_without_a_provider_there_is_none(
    make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore
) -> None:
    url = make_gateway(gateway_settings, store).url
    assert "/sign-in/oidc" not in httpx.get(f"{url}/sign-in", trust_env=False).text
    assert httpx.get(f"{url}/sign-in/oidc", trust_env=False).status_code == 404


def test_an_installation_without_a_provider_opens_none(gateway_settings: GatewaySettings, gateway: Gateway) -> None:
    assert open_single_sign_on(gateway_settings) is None
    assert isinstance(gateway.parts.single_sign_on, SingleSignOn)

"""The web app's door: sessions, their tokens, and what a page answers when something is wrong."""

import re

import httpx
import pytest

from services.gateway.sessions import COOKIE
from shared.catalog.protocol import Slice
from shared.contracts.keys import Scope
from shared.contracts.learning import Canary, DeploymentWish, EvaluationResult, Model, Score
from tests.api.conftest import BASE, PDF, Gateway


@pytest.fixture
def browser(gateway: Gateway) -> httpx.Client:
    return sign_in(gateway, "admin")


def sign_in(gateway: Gateway, scope: Scope) -> httpx.Client:
    """A client that holds a session's cookie and no key."""
    _, secret = gateway.parts.keys.create("browser", (scope,))
    client = httpx.Client(base_url=gateway.url, timeout=30, trust_env=False)
    answer = client.post("/sign-in", data={"key": secret, "next": "/operate"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/operate")
    return client


def token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" content="([0-9a-f]{64})"', client.get("/operate").text)
    assert found is not None
    return found.group(1)


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_holds_no_secret(gateway: Gateway) -> None:
    _, secret = gateway.parts.keys.create("browser", ("read",))
    answer = httpx.post(f"{gateway.url}/sign-in", data={"key": secret}, trust_env=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=43200" in cookie
    assert secret not in cookie
    wrong = httpx.post(f"{gateway.url}/sign-in", data={"key": "lk-wrong"}, trust_env=False)
    assert wrong.status_code == 401 and "set-cookie" not in wrong.headers


def test_nobody_is_signed_in_by_another_sites_form(gateway: Gateway) -> None:
    _, secret = gateway.parts.keys.create("browser", ("read",))
    answer = httpx.post(
        f"{gateway.url}/sign-in", data={"key": secret}, headers={"Sec-Fetch-Site": "cross-site"}, trust_env=False
    )
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/a b"])
def test_sign_in_leads_nowhere_but_here(gateway: Gateway, target: str) -> None:
    _, secret = gateway.parts.keys.create("browser", ("read",))
    answer = httpx.post(f"{gateway.url}/sign-in", data={"key": secret, "next": target}, trust_env=False)
    assert answer.headers["location"] == "/"


def test_a_form_without_the_sessions_token_changes_nothing(gateway: Gateway, browser: httpx.Client) -> None:
    other = sign_in(gateway, "admin")
    for sent in ({}, {"csrf": "0" * 64}, {"csrf": token(other)}):
        answer = browser.post("/shelf", data={"name": "made", **sent})
        assert answer.status_code == 403
    assert gateway.catalog.collection("made") is None
    assert browser.post("/shelf", data={"name": "made", "csrf": token(browser)}).status_code == 303
    assert gateway.catalog.collection("made") is not None


def test_a_session_may_read_the_api_and_change_it_only_with_its_token(browser: httpx.Client) -> None:
    assert browser.get("/v1/collections").status_code == 200
    upload = {"url": "/v1/collections/papers/documents", "content": PDF}
    headers = {"Content-Type": "application/pdf"}
    refused = browser.post(**upload, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert browser.post(**upload, headers={**headers, "X-CSRF-Token": token(browser)}).status_code == 202


def test_a_changed_or_outlived_cookie_is_no_session(
    gateway: Gateway, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = browser.cookies[COOKIE]
    identity, until, rest = cookie.split(".", 2)
    changed = [cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), f"{identity}.{int(until) + 1}.{rest}", "a.b.c.d", "..", "é"]
    for one in changed:
        answer = httpx.get(f"{gateway.url}/operate", headers={"Cookie": f"{COOKIE}={one}".encode()}, trust_env=False)
        assert answer.status_code == 303, one
    monkeypatch.setattr("services.gateway.sessions.time.time", lambda: int(until) + 1)
    assert browser.get("/operate").status_code == 303


def test_a_revoked_key_ends_its_sessions(gateway: Gateway, browser: httpx.Client) -> None:
    key = browser.cookies[COOKIE].split(".")[0]
    assert browser.get("/").status_code == 200
    gateway.parts.keys.revoke(key)
    assert browser.get("/").status_code == 303
    assert browser.get("/v1/collections").status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/shelf/nothing", 404, "There is no collection"), ("/datasets/0000000000000000", 404, "There is no dataset"),
        ("/runs/0000000000000000", 404, "There is no run"), ("/runs/not-a-run", 422, "String should match"),
        ("/shelf/nothing/documents/abcdef", 404, "There is no collection"), ("/?cursor=%00", 400, "cursor"),
        ("/static/0/lectern.css", 404, ""),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_in_words(gateway: Gateway, browser: httpx.Client, path: str, status: int, told: str) -> None:
    gateway.parts.records.collect("papers")
    answer = browser.get(path)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text


def test_assets_are_kept_for_good_under_an_address_of_their_content(browser: httpx.Client) -> None:
    style = re.search(r'href="(/static/[0-9a-f]{12}/lectern\.css)"', browser.get("/sign-in").text)
    assert style is not None
    answer = browser.get(style.group(1))
    assert answer.headers["content-type"].startswith("text/css") and "immutable" in answer.headers["cache-control"]


def test_a_refused_setting_is_shown_where_it_was_typed(gateway: Gateway, browser: httpx.Client) -> None:
    gateway.parts.records.collect("papers")
    answer = browser.post("/shelf/papers/settings", data={"csrf": token(browser), "chunking.max_tokens": "<b>7"})
    assert answer.status_code == 422
    assert "chunking.max_tokens" in answer.text and "&lt;b&gt;7" in answer.text
    kept = {"csrf": token(browser), "chunking.max_tokens": "64", "cleaning.drop_citations": ["off", "on"]}
    assert browser.post("/shelf/papers/settings", data=kept).status_code == 303
    parameters = gateway.catalog.collection("papers").parameters
    assert (parameters.chunking.max_tokens, parameters.cleaning.drop_citations) == (64, True)


def test_a_page_that_cannot_be_drawn_says_so_and_its_text_stays(gateway: Gateway, browser: httpx.Client) -> None:
    document = gateway.add()
    answer = browser.get(f"/shelf/papers/documents/{document}/pages/1.webp")
    assert answer.status_code == 409 and "cannot be drawn" in answer.text
    assert browser.get(f"/shelf/papers/documents/{document}").status_code == 200


def test_the_page_rolls_a_deployment_back_where_it_was_something_else(gateway: Gateway, browser: httpx.Client) -> None:
    def wish(tokens: int) -> None:
        gateway.parts.records.wish_deployment(
            DeploymentWish(name="answers", model=None, base=BASE, context_tokens=tokens, wished_at="2026-01-01T00:00:00Z")
        )

    form = "/operate/deployments/answers/rollback"
    wish(1_024)
    assert form not in browser.get("/operate").text
    wish(2_048)
    assert form in browser.get("/operate").text
    assert browser.post(form, data={"csrf": token(browser)}).status_code == 303
    view = gateway.catalog.deployment("answers")
    assert view is not None and view.wish.context_tokens == 1_024


CANARY = "/operate/deployments/answers/canary"


def papers(gateway: Gateway, version: str) -> str:
    score = Score(loss=1, perplexity=2, tokens=3, examples=4)
    model = Model(
        id=f"papers-{version}", name="papers", run=version * 16, dataset="0" * 16, base=BASE, adapter_key="k",
        adapter_digest=version, template="alpaca", evaluation=EvaluationResult(base=score, tuned=score),
        created_at=f"2026-01-0{version}T00:00:00Z",
    )  # fmt: skip
    gateway.catalog.put_model(model)
    return model.id


def test_a_canary_is_started_from_the_page(gateway: Gateway, browser: httpx.Client, base: str) -> None:
    older, newer = papers(gateway, "1"), papers(gateway, "2")
    assert browser.get(CANARY).status_code == 404, "there is nothing to be a canary of"
    gateway.parts.records.wish_deployment(
        DeploymentWish(name="answers", model=older, base=base, replicas=2, wished_at="2026-01-01T00:00:00Z")
    )
    assert f'href="{CANARY}"' in browser.get("/operate").text
    form = browser.get(CANARY, params={"model": newer}).text
    assert f'value="{newer} adapter" selected' in form and f'value="{older} adapter" disabled' in form
    asked = {"csrf": token(browser), "served": f"{newer} adapter", "percent": "25", "replicas": "1"}
    assert browser.post(CANARY, data=asked).headers["location"] == "/operate"
    view = gateway.catalog.deployment("answers")
    assert view is not None and view.wish.canary is not None
    assert (view.wish.model, view.wish.replicas) == (older, 2), "what is served beside it stays"
    assert (view.wish.canary.model, view.wish.canary.percent) == (newer, 25)
    assert "25 in 100 get papers-2" in browser.get("/operate").text and 'value="25"' in browser.get(CANARY).text
    deed = gateway.catalog.deeds(Slice(1))[0]
    assert (deed.method, deed.path) == ("POST", CANARY)


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [({"served": "papers-1 adapter"}, 409, "That is what answers serves"), ({"served": ""}, 422, "Choose what they are to get"),
     ({"served": "papers-9 adapter"}, 404, "papers-9"), ({"served": "papers-2 gptq"}, 404, "lectern export papers-2"),
     ({"served": "papers-2 adapter", "percent": "100"}, 422, "canary_percent"),
     ({"served": "papers-2 adapter", "replicas": "0"}, 422, "replicas"), ({"served": "papers-2 int3"}, 422, "variant")],
)  # fmt: skip
def test_what_stands_against_a_canary_is_told_on_its_form(
    gateway: Gateway, browser: httpx.Client, base: str, fields: dict[str, str], status: int, told: str
) -> None:
    older, _ = papers(gateway, "1"), papers(gateway, "2")
    wish = DeploymentWish(name="answers", model=older, base=base, wished_at="2026-01-01T00:00:00Z")
    gateway.parts.records.wish_deployment(wish)
    answer = browser.post(CANARY, data={"csrf": token(browser), "percent": "10", "replicas": "1", **fields})
    assert answer.status_code == status and told in answer.text and 'role="alert"' in answer.text
    assert f'action="{CANARY}"' in answer.text, "with the form as it was"
    view = gateway.catalog.deployment("answers")
    assert view is not None and view.wish == wish


def test_a_viewer_starts_no_canary(gateway: Gateway, base: str) -> None:
    gateway.parts.records.wish_deployment(
        DeploymentWish(name="answers", model=None, base=base, wished_at="2026-01-01T00:00:00Z")
    )
    viewer = sign_in(gateway, "read")
    assert f'href="{CANARY}"' not in viewer.get("/operate").text
    assert viewer.get(CANARY).status_code == 403


def test_replicas_are_asked_for_where_a_model_is_deployed(gateway: Gateway, browser: httpx.Client, base: str) -> None:
    model = papers(gateway, "1")
    asked = {"csrf": token(browser), "name": "answers", "replicas": "2"}
    assert browser.post(f"/models/{model}/deploy", data=asked).status_code == 303
    view = gateway.catalog.deployment("answers")
    assert view is not None and view.wish.replicas == 2
    gateway.catalog.observe_deployment("answers", "ready", None, ["http://a", "http://b"], "lectern-x", model)
    assert "2 of 2 replicas answer" in browser.get("/operate").text
    refused = browser.post(f"/models/{model}/deploy", data={**asked, "replicas": "many"})
    assert refused.status_code == 422 and "replicas" in refused.text


def test_the_page_tells_of_a_canary_and_serves_it_to_all(gateway: Gateway, browser: httpx.Client) -> None:
    canary = Canary(percent=10, model=None, base="newer-base")
    gateway.parts.records.wish_deployment(
        DeploymentWish(name="answers", model=None, base=BASE, canary=canary, wished_at="2026-01-01T00:00:00Z")
    )
    seen = browser.get("/operate").text
    assert "10 in 100 get newer-base" in seen and "canary <span" in seen
    form = "/operate/deployments/answers/canary/finish"
    assert f'action="{form}"' in seen and browser.post(form, data={"csrf": token(browser)}).status_code == 303
    view = gateway.catalog.deployment("answers")
    assert view is not None and (view.wish.base, view.wish.canary) == ("newer-base", None)
    assert f'action="{form}"' not in browser.get("/operate").text

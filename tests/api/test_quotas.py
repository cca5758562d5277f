"""What a key may ask of the models: counted in the catalog, so that two gateways count as one."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from services.gateway.metering import Tally
from services.gateway.routes.keys import views
from services.gateway.settings import GatewaySettings
from shared.contracts.keys import Allowance, KeyUse
from shared.objects import ObjectStore
from tests.api.conftest import Gateway
from tests.api.engine import ToldEngine
from tests.api.test_commands import Run, run  # noqa: F401
from tests.api.test_openai import chat, engine, served, told  # noqa: F401
from tests.api.test_web import sign_in, token
from tests.servers import wait_until


def limited(gateway: Gateway, url: str = "", **limits: int) -> tuple[str, httpx.Client]:
    key, secret = gateway.parts.keys.create("limited", ("read",), allowance=Allowance(**limits))
    headers = {"Authorization": f"Bearer {secret}"}
    return key.id, httpx.Client(base_url=url or gateway.url, headers=headers, timeout=30, trust_env=False)


def today(client: httpx.Client, key: str) -> dict[str, int]:
    found = next(one for one in client.get("/v1/keys").json()["items"] if one["id"] == key)
    return {name: found["today"][name] for name in ("requests", "tokens")}


@pytest.fixture
def second(make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore) -> Gateway:
    """Another gateway over the same catalog."""
    return make_gateway(gateway_settings, store)


def test_two_gateways_count_as_one(served: Gateway, second: Gateway) -> None:  # noqa: F811
    key, one = limited(served, requests_per_minute=1_000)
    other = httpx.Client(base_url=second.url, headers=one.headers, timeout=30, trust_env=False)
    assert chat(one, "answers").status_code == chat(other, "answers").status_code == 200
    with served.client() as admin:
        assert today(admin, key) == {"requests": 2, "tokens": 20}


def test_a_key_that_asked_all_it_may_is_told_when_it_may_ask_again(served: Gateway, told: ToldEngine) -> None:  # noqa: F811
    key, client = limited(served, tokens_per_day=15)
    assert [chat(client, "answers").status_code for _ in range(3)] == [200, 200, 429], "the answer that goes over is given"
    refused = chat(client, "answers")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded" and "15 tokens a day" in refused.json()["error"]["message"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert len(told.asked) == 2, "the engine is not asked"
    with served.client() as admin:
        assert today(admin, key) == {"requests": 2, "tokens": 20}, "what is refused is not counted"


def test_a_hundred_at_once_on_two_gateways_are_no_more_than_the_minute_allows(served: Gateway, second: Gateway) -> None:  # noqa: F811
    _, one = limited(served, requests_per_minute=5)
    other = httpx.Client(base_url=second.url, headers=one.headers, timeout=60, trust_env=False)
    seen: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda to=to: seen.append(chat(to, "answers"))) for to in (one, other) * 50]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = sum(answer.status_code == 200 for answer in seen)
    assert len(seen) == 100 and good in (5, 10), "ten only where the clock's minute turned meanwhile"
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in seen if answer.status_code == 429)


@pytest.mark.parametrize("wants", [True, False])
def test_a_stream_is_counted_and_its_count_shown_only_to_who_asked(served: Gateway, told: ToldEngine, wants: bool) -> None:  # noqa: F811
    told.go_on.set()
    key, client = limited(served)
    options = {"stream_options": {"include_usage": True}} if wants else {}
    body = chat(client, "answers", stream=True, **options).text
    assert ('"usage"' in body) is wants and body.count("data: ") == (5 if wants else 4)
    assert body.endswith("data: [DONE]\n\n") and "\n\n\n" not in body
    with served.client() as admin:
        wait_until(lambda: today(admin, key) == {"requests": 1, "tokens": 10}, "the count")


def test_counts_that_the_catalog_does_not_take_wait_for_it(served: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    key, _ = limited(served)
    tally, at = Tally(served.parts.catalog), datetime.now(UTC)
    tally.add(key, at, requests=2, tokens=30)
    with monkeypatch.context() as away:
        away.setattr(type(served.parts.catalog), "count_use", lambda *_: (_ for _ in ()).throw(OSError("away")))
        with pytest.raises(OSError, match="away"):
            tally.write()
    tally.add(key, at, tokens=3)
    tally.write()
    tally.write()
    assert served.parts.catalog.uses(at)[key] == KeyUse(requests=2, tokens=33)


def test_who_leaves_a_stream_has_used_what_came(served: Gateway, told: ToldEngine) -> None:  # noqa: F811
    key, client = limited(served)
    with client.stream("POST", "/v1/completions", json={"model": "answers", "prompt": "x", "stream": True}) as answer:
        next(answer.iter_lines())
    with served.client() as admin:
        wait_until(lambda: today(admin, key) == {"requests": 1, "tokens": 1}, "the count")


def test_options_of_a_stream_that_are_none_are_the_engines_to_refuse(served: Gateway, told: ToldEngine) -> None:  # noqa: F811
    told.answer = (400, {"error": {"message": "stream_options must be an object"}})
    _, client = limited(served)
    assert chat(client, "answers", stream=True, stream_options="all").json()["error"]["code"] == "engine_refused"


@pytest.mark.parametrize("limits", [{"requests_per_minute": 0}, {"tokens_per_day": -1}, {"tokens_per_day": "many"}])
def test_a_limit_that_is_none_makes_no_key(client: httpx.Client, limits: dict[str, object]) -> None:
    assert client.post("/v1/keys", json={"name": "n", **limits}).status_code == 422


def test_a_keys_limits_are_told_and_kept_when_it_is_revoked(gateway: Gateway, client: httpx.Client) -> None:
    made = client.post("/v1/keys", json={"name": "n", "requests_per_minute": 3, "tokens_per_day": 9_000}).json()
    assert (made["requests_per_minute"], made["tokens_per_day"], made["today"]["tokens"]) == (3, 9_000, 0)
    revoked = client.delete(f"/v1/keys/{made['id']}").json()
    assert (revoked["requests_per_minute"], revoked["tokens_per_day"]) == (3, 9_000)


def test_operate_makes_a_key_with_limits_and_shows_its_use(served: Gateway) -> None:  # noqa: F811
    browser = sign_in(served, "admin")
    form = {"csrf": token(browser), "name": "editor", "scope": "read", "requests_per_minute": "7", "tokens_per_day": ""}
    assert browser.post("/operate/keys", data=form).status_code == 201
    key = next(one for one in views(served.parts) if one.name == "editor")
    assert (key.requests_per_minute, key.tokens_per_day) == (7, None)
    assert "at most 7 a minute" in browser.get("/operate").text
    assert browser.post("/operate/keys", data={**form, "requests_per_minute": "many"}).status_code == 422


def test_the_command_makes_a_key_with_limits_and_lists_its_use(served: Gateway, run: Run) -> None:  # noqa: F811
    made = json.loads(run("key", "create", "editor", "--requests-per-minute", "7", "--tokens-per-day", "9000", "--json").stdout)
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {made['secret']}"}, trust_env=False) as client:
        assert chat(client, "answers").status_code == 200
    listed = {one["name"]: one for one in json.loads(run("key", "list", "--json").stdout)}
    assert (listed["editor"]["today"]["tokens"], listed["editor"]["tokens_per_day"]) == (10, 9_000)
    assert run("key", "list").returncode == 0
    assert run("key", "create", "editor", "--tokens-per-day", "0").returncode == 2

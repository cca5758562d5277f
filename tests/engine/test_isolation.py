"""Adapters beside each other in a real vLLM, asked through the gateway, on a model whose answers tell whose they are."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from benchmarks.isolating.churn import disturbed
from benchmarks.isolating.load import judge, prompts
from benchmarks.isolating.place import BASE, ENGINE, Place, open_place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RED, GREEN = frozenset({"red"}), frozenset({"green"})


@pytest.fixture(scope="module")
def place(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("isolation"), vllm) as opened:
        yield opened


def client(place: Place) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{place.url}/v1", api_key=place.key, max_retries=0, timeout=120)


def test_no_answer_comes_from_another_adapter_while_adapters_come_and_go(place: Place) -> None:
    told = asyncio.run(disturbed(place, seconds=20, at_once=8))
    assert told["wrong"] == {} and told["answers"] > 20, told
    assert told["reloaded"] >= 1 and told["moved"] >= 1 and told["adapters_unloaded"] >= 1, told
    assert told["prefix_cache"]["hits"] > 0, "or no cache was there to be mistaken for another's"
    assert not [why for why in told["refused"] if why.startswith("steady")], told


def test_openais_own_client_works_unchanged_with_a_real_engine(place: Place) -> None:
    place.deploy("steady", "red")
    theirs, question = client(place), [{"role": "user", "content": "w1 w2"}]
    assert "steady" in [model.id for model in theirs.models.list()] and theirs.models.retrieve("steady").id == "steady"
    said = theirs.chat.completions.create(model="steady", messages=question, max_tokens=4, temperature=0)
    assert judge(said.choices[0].message.content, RED) == "red" and said.choices[0].finish_reason == "length"
    assert (said.model, said.usage.completion_tokens, said.system_fingerprint) == ("steady", 4, place.models["red"].id)
    options = {"include_usage": True}
    pieces = list(theirs.chat.completions.create(
        model="steady", messages=question, max_tokens=4, temperature=0, stream=True, stream_options=options
    ))  # fmt: skip
    assert judge(" ".join(one.choices[0].delta.content or "" for one in pieces if one.choices), RED) == "red"
    assert pieces[-1].usage.completion_tokens == 4 and pieces[-1].system_fingerprint == place.models["red"].id
    completed = theirs.completions.create(model="steady", prompt="w1 w2", max_tokens=4, temperature=0)
    assert judge(completed.choices[0].text, RED) == "red"
    streamed = theirs.completions.create(model="steady", prompt="w1 w2", max_tokens=4, temperature=0, stream=True)
    assert judge(" ".join(one.choices[0].text for one in streamed), RED) == "red"
    with pytest.raises(openai.NotFoundError, match="nobody"):
        theirs.chat.completions.create(model="nobody", messages=question)


def test_a_canary_answers_its_share_and_then_all(place: Place) -> None:
    place.deploy("steady", "red")
    canary = {"model": place.models["green"].id, "canary_percent": 50, "engine_arguments": ENGINE}
    place.request("POST", "/v1/deployments", {"name": "steady", **canary})
    place.await_view("steady", lambda view: view["state"] == "ready" and view["canary"]["state"] == "ready")
    seen = {said(place, "steady", f"window-{at}") for at in range(24)}
    assert seen == {("red", place.models["red"].id), ("green", place.models["green"].id)}
    assert len({said(place, "steady", "window-1") for _ in range(4)}) == 1
    place.request("POST", "/v1/deployments/steady/canary/finish")
    place.await_view("steady", lambda view: view["state"] == "ready" and view["canary"] is None)
    assert {said(place, "steady", f"window-{at}") for at in range(12)} == {("green", place.models["green"].id)}
    place.request("POST", "/v1/deployments/steady/rollback")
    place.await_view("steady", lambda view: view["state"] == "ready" and view["serves"] == place.models["red"].id)
    assert {said(place, "steady", f"window-{at}") for at in range(12)} == {("red", place.models["red"].id)}


@pytest.mark.parametrize(
    ("speculation", "knows_adapters"), [({"method": "ngram"}, True), ({"method": "draft", "model": BASE}, False)]
)
def test_an_engine_that_guesses_says_what_it_would_say_and_tells_how_many_guesses_were_right(
    place: Place, speculation: dict[str, object], knows_adapters: bool
) -> None:
    """The answers repeat one word, which n-grams guess; the base as its own draft is always right of itself, never of an
    adapter."""
    guessing = {"speculation": speculation, "engine_arguments": ENGINE}
    place.request("POST", "/v1/deployments", {"name": "guessing", "base": BASE, **guessing})
    place.await_view("guessing", lambda view: view["state"] == "ready" and view["wish"]["speculation"] is not None)
    assert "none.none" in complete(place, "guessing") and "red" not in complete(place, "guessing")
    of_base = acceptance(place, "guessing")
    assert of_base > 0.5
    model = place.models["red"].id
    place.request("POST", "/v1/deployments", {"name": "guessing", "model": model, **guessing})
    place.await_view("guessing", lambda view: view["state"] == "ready" and view["serves"] == model)
    assert judge(complete(place, "guessing"), RED) == "red"
    assert acceptance(place, "guessing") > 0.5 if knows_adapters else acceptance(place, "guessing") < of_base
    place.request("DELETE", "/v1/deployments/guessing")


def said(place: Place, name: str, session: str) -> tuple[str | None, str | None]:
    """The mark of an answer, and the model that it says it is of."""
    body = {"session": session}
    told = client(place).completions.create(model=name, prompt="w1 w2", max_tokens=4, temperature=0, extra_body=body)
    return judge(told.choices[0].text, RED | GREEN), told.system_fingerprint


def complete(place: Place, name: str) -> str:
    answer = client(place).completions.create(model=name, prompt=prompts(0)[0], max_tokens=32, temperature=0)
    assert answer.usage is not None and answer.usage.completion_tokens == 32
    return answer.choices[0].text


def acceptance(place: Place, name: str) -> float:
    told = place.request("GET", f"/v1/deployments/{name}")["guessed"]
    assert told["guessed"] > 0 and told["accepted"] <= told["guessed"]
    return float(told["acceptance"])

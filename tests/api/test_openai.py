"""The OpenAI-compatible door: names there and back, templates, streams that pass unbuffered, and OpenAI's own errors."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from shared.bases import publish_base
from shared.clock import now
from shared.contracts.learning import Canary, DeploymentWish, EvaluationResult, Model, Score
from shared.contracts.views import Standing
from shared.objects import ObjectStore
from shared.template import TEMPLATES
from tests.api.conftest import BASE, Gateway, Server
from tests.api.engine import TEXT, USAGE, ToldEngine
from tests.servers import free_port, wait_until

SERVED = "lectern-0123456789abcdef"
NEWER = "lectern-fedcba9876543210"
MESSAGES = [{"role": "user", "content": "What does the gauge read?"}]


@pytest.fixture
def engine() -> Iterator[tuple[ToldEngine, str]]:
    told = ToldEngine()
    server = Server(told.app)
    yield told, server.url
    told.go_on.set()
    server.stop()


@pytest.fixture
def told(engine: tuple[ToldEngine, str]) -> ToldEngine:
    return engine[0]


@pytest.fixture
def served(gateway: Gateway, engine: tuple[ToldEngine, str]) -> Gateway:
    """A tuned model deployed as `answers` and its base deployed as `plain`, both ready on one engine."""
    score = Score(loss=1, perplexity=2, tokens=3, examples=4)
    gateway.catalog.put_model(
        Model(
            id="papers-abc", name="papers", run="0" * 16, dataset="0" * 16, base=BASE, adapter_key="k", adapter_digest="d",
            template="alpaca", evaluation=EvaluationResult(base=score, tuned=score), created_at="2026-01-01T00:00:00Z",
        )
    )  # fmt: skip
    for name, model, served_model in (("answers", "papers-abc", SERVED), ("plain", None, BASE)):
        gateway.parts.records.wish_deployment(
            DeploymentWish(name=name, model=model, base=BASE, wished_at="2026-01-01T00:00:00Z")
        )
        gateway.catalog.observe_deployment(name, "ready", None, [engine[1]], served_model)
    return gateway


def chat(client: httpx.Client, model: str, **more: Any) -> httpx.Response:
    return client.post("/v1/chat/completions", json={"model": model, "messages": MESSAGES, **more})


@pytest.mark.parametrize(
    ("asked", "sent"), [("answers", SERVED), ("papers", SERVED), ("papers-abc", SERVED), (BASE, BASE), ("plain", BASE)]
)
def test_a_name_becomes_the_engines_own_and_comes_back_as_it_was(
    served: Gateway, client: httpx.Client, told: ToldEngine, asked: str, sent: str
) -> None:
    answer = chat(client, asked, temperature=0, logprobs=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == asked and answer.json()["choices"][0]["message"]["content"] == TEXT
    assert (told.asked[0]["model"], told.asked[0]["temperature"], told.asked[0]["logprobs"]) == (sent, 0, True)
    assert "max_tokens" not in told.asked[0], "only what was asked is sent on"


def test_a_tuned_model_is_given_its_template_and_nobody_elses(served: Gateway, client: httpx.Client, told: ToldEngine) -> None:
    evil = {"chat_template": "{{ cycler.__init__.__globals__ }}", "chat_template_kwargs": {"a": 1}}
    chat(client, "answers", **evil)
    chat(client, "plain", **evil)
    client.post("/v1/completions", json={"model": "answers", "prompt": "The gauge", **evil})
    assert [asked.get("chat_template") for asked in told.asked] == [TEMPLATES["alpaca"], None, None]
    assert not any("chat_template_kwargs" in asked for asked in told.asked)
    assert told.asked[2]["path"] == "/v1/completions" and told.asked[2]["prompt"] == "The gauge"


def test_a_model_tuned_on_its_bases_own_template_is_asked_by_the_engines(
    served: Gateway, client: httpx.Client, told: ToldEngine
) -> None:
    model = served.catalog.model("papers-abc")
    assert model is not None
    served.catalog.put_model(model.model_copy(update={"template": "chat"}))

    assert chat(client, "answers", chat_template="{{ evil }}").status_code == 200
    assert "chat_template" not in told.asked[0], "the engine's tokenizer has the base's own"


def test_a_stream_passes_event_by_event(served: Gateway, client: httpx.Client, told: ToldEngine) -> None:
    body = {"model": "answers", "messages": MESSAGES, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        raw = answer.iter_raw()
        first = next(raw)
        assert not told.go_on.is_set(), "the first event came while the engine was still at the second"
        told.go_on.set()
        lines = (first + b"".join(raw)).split(b"\n")
    events = [line.removeprefix(b"data: ") for line in lines if line]
    assert events[-1] == b"[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == [f"{TEXT}{at}" for at in range(3)]
    assert {chunk["model"] for chunk in chunks} == {"answers"}


def test_a_client_that_leaves_a_stream_stops_the_engine(served: Gateway, client: httpx.Client, told: ToldEngine) -> None:
    with client.stream("POST", "/v1/completions", json={"model": "plain", "prompt": "p", "stream": True}) as answer:
        next(answer.iter_raw())
    assert told.left.wait(20)


def test_a_client_that_leaves_before_the_answer_stops_the_engine(
    served: Gateway, client: httpx.Client, told: ToldEngine
) -> None:
    told.waits = True
    asked = client.build_request("POST", "/v1/completions", json={"model": "plain", "prompt": "p"})
    head = [f"POST {asked.url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.headers.items())]
    with socket.create_connection((asked.url.host, asked.url.port)) as line:
        line.sendall("\r\n".join([*head, "", ""]).encode() + asked.content)
        wait_until(lambda: told.asked, "the engine's turn")
    assert told.left.wait(20)


def test_many_wait_for_the_engine_while_the_gateway_answers_others(
    served: Gateway, client: httpx.Client, told: ToldEngine
) -> None:
    """A hundred streams, more than there are threads, hold nothing that another request needs."""
    begun, answers = threading.Barrier(101), []

    def ask() -> None:
        body = {"model": "plain", "prompt": "p", "stream": True}
        with httpx.stream("POST", f"{served.url}/v1/completions", json=body, headers=client.headers, timeout=60) as answer:
            raw = answer.iter_raw()
            first = next(raw)
            begun.wait(60)
            answers.append(first + b"".join(raw))

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    assert client.get("/v1/collections").status_code == 200
    told.go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 100 and all(answer.endswith(b"data: [DONE]\n\n") for answer in answers)


def error(answer: httpx.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"error"} and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.status_code, answer.json()["error"]["code"]


def test_errors_are_openais_own(served: Gateway, client: httpx.Client) -> None:
    assert error(chat(client, "nobody")) == (404, "model_not_found")
    assert error(client.post("/v1/chat/completions", json={"model": "answers"})) == (422, "invalid_request")
    assert error(httpx.post(f"{served.url}/v1/chat/completions", json={"model": "a", "messages": MESSAGES})) == (
        401,
        "unauthorized",
    )
    assert error(client.get("/v1/models/nobody")) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [((400, {"error": {"message": f"{SERVED} takes at most 2048 tokens"}}), 400, "engine_refused"),
     ((400, {"object": "error", "message": f"{SERVED} takes less"}), 400, "engine_refused"),
     ((404, {"error": {"message": f"The model {SERVED} does not exist."}}), 503, "model_not_ready"),
     ((500, {"error": {"message": "Traceback: /opt/secret"}}), 502, "engine_error"),
     ((200, b"<html>"), 502, "engine_error"), ((503, b""), 502, "engine_error")],
)  # fmt: skip
def test_an_engines_error_is_told_without_its_insides(
    served: Gateway, client: httpx.Client, told: ToldEngine, answer: tuple[int, Any], status: int, code: str
) -> None:
    told.answer = answer
    found = chat(client, "answers")
    assert error(found) == (status, code)
    assert SERVED not in found.text and "secret" not in found.text
    assert error(chat(client, "answers", stream=True)) == (status, code)


@pytest.mark.parametrize("stream", [False, True])
def test_a_deployment_that_moved_after_it_was_looked_up_is_asked_where_it_is_now(
    served: Gateway, client: httpx.Client, engine: tuple[ToldEngine, str], stream: bool
) -> None:
    told, url = engine
    told.go_on.set()
    told.lets_go = (SERVED, lambda: served.catalog.observe_deployment("answers", "ready", None, [url], NEWER, "papers-def"))
    answer = chat(client, "answers", stream=stream)
    assert (answer.status_code, answer.headers["X-Lectern-Model"]) == (200, "papers-def")
    assert [asked["model"] for asked in told.asked] == [SERVED, NEWER]


def test_an_engine_that_is_gone_is_unreachable(served: Gateway, client: httpx.Client) -> None:
    served.catalog.observe_deployment("plain", "ready", None, [f"http://127.0.0.1:{free_port()}"], BASE)
    answer = chat(client, "plain")
    assert error(answer) == (503, "engine_unreachable") and "retry-after" in answer.headers


def test_a_deployment_on_its_way_says_so_and_one_that_is_swapped_goes_on_answering(
    served: Gateway, client: httpx.Client, engine: tuple[ToldEngine, str]
) -> None:
    served.catalog.observe_deployment("answers", "starting", "loading the adapter")
    answer = chat(client, "answers")
    assert error(answer) == (503, "model_not_ready") and "loading the adapter" in answer.json()["error"]["message"]
    served.catalog.observe_deployment("answers", "starting", "loading the adapter", [engine[1]], "lectern-before")
    assert chat(client, "answers").status_code == 200, "what was served before answers until the new one can"
    assert engine[0].asked[-1]["model"] == "lectern-before"
    assert error(chat(client, "papers-abc")) == (503, "model_not_ready"), "a model's own name promises that very model"


def test_a_stopped_deployment_is_no_model(served: Gateway, client: httpx.Client) -> None:
    assert client.delete("/v1/deployments/answers").status_code == 202
    assert client.delete("/v1/deployments/answers").status_code == 200
    assert error(chat(client, "answers")) == (404, "model_not_found")


def test_the_list_holds_every_name_that_can_be_asked(served: Gateway, client: httpx.Client) -> None:
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert {one["id"] for one in listed["data"]} == {"answers", "papers-abc", "papers", "plain", BASE}
    assert all(one["object"] == "model" and isinstance(one["created"], int) for one in listed["data"])
    assert all(chat(client, one["id"]).status_code == 200 for one in listed["data"])
    assert client.get("/v1/models/answers").json()["id"] == "answers"
    assert [one["id"] for one in client.get("/v1/tuned-models").json()["items"]] == ["papers-abc"]


def with_canary(served: Gateway, engine: str, percent: int) -> None:
    """`answers` with a newer model of its name as its canary, which is ready."""
    older = served.catalog.model("papers-abc")
    assert older is not None
    served.catalog.put_model(older.model_copy(update={"id": "papers-def", "template": "chat", "created_at": now()}))
    wish = served.parts.records.running("answers")
    canary = Canary(percent=percent, model="papers-def", base=BASE)
    served.parts.records.wish_deployment(wish.model_copy(update={"canary": canary}))
    served.catalog.observe_deployment("answers", "ready", None, [engine], SERVED, "papers-abc")
    seen = Standing(state="ready", endpoints=(engine,), served_model=NEWER, serves="papers-def")
    served.catalog.observe_canary("answers", seen)


def test_a_canary_gets_its_share_the_same_sessions_each_time_and_answers_say_who_they_are_of(
    served: Gateway, client: httpx.Client, engine: tuple[ToldEngine, str]
) -> None:
    with_canary(served, engine[1], 30)
    first = [chat(client, "answers", session=f"s{at}").headers["X-Lectern-Model"] for at in range(100)]
    assert set(first) == {"papers-abc", "papers-def"} and 12 <= first.count("papers-def") <= 48, "give or take 4 sigma"
    assert [chat(client, "answers", session=f"s{at}").headers["X-Lectern-Model"] for at in range(20)] == first[:20]
    for asked, version in zip(engine[0].asked, first, strict=False):
        assert (asked["model"], "chat_template" in asked) == ((NEWER, False) if version == "papers-def" else (SERVED, True))
    assert {chat(client, "answers").headers["X-Lectern-Model"] for _ in range(40)} == {"papers-abc", "papers-def"}
    told = chat(client, "answers", session="s0").json()
    assert told["model"] == "answers" and told["system_fingerprint"] == first[0]
    assert chat(client, "papers-def").headers["X-Lectern-Model"] == "papers-def", "by its own name, it and no other"
    assert "papers-def" in [one["id"] for one in client.get("/v1/models").json()["data"]]
    figures = client.get("/metrics").text
    assert 'lectern_answers_total{deployment="answers",model="papers-def",status="200"}' in figures


def test_a_stream_says_who_it_is_of(served: Gateway, client: httpx.Client, engine: tuple[ToldEngine, str]) -> None:
    with_canary(served, engine[1], 99)
    engine[0].go_on.set()
    names = set()
    for at in range(8):
        body = {"model": "answers", "prompt": "p", "stream": True, "session": f"s{at}"}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            version = answer.headers["X-Lectern-Model"]
            lines = answer.read().split(b"\n")
        events = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: {")]
        assert {event["model"] for event in events} == {"answers"}
        assert [event["system_fingerprint"] for event in events if "system_fingerprint" in event] == [version]
        names.add(version)
    assert "papers-def" in names


def test_a_canary_that_is_not_there_or_no_longer_wished_for_gets_nobody(
    served: Gateway, client: httpx.Client, engine: tuple[ToldEngine, str]
) -> None:
    with_canary(served, engine[1], 99)
    served.catalog.observe_canary("answers", Standing(state="starting", detail="loading the adapter"))
    assert {chat(client, "answers").headers["X-Lectern-Model"] for _ in range(10)} == {"papers-abc"}
    with_canary(served, engine[1], 99)
    assert client.post("/v1/deployments/answers/rollback").status_code == 202
    assert {chat(client, "answers").headers["X-Lectern-Model"] for _ in range(10)} == {"papers-abc"}
    assert client.post("/v1/deployments/answers/canary/finish").status_code == 409


FILLS_IN = {"<fim_prefix>": 1, "<fim_suffix>": 2, "<fim_middle>": 3, "<|endoftext|>": 0}
CURSOR = {"prompt": "def area(r):\n    return ", "suffix": "\n\nprint(area(2))"}


def publish_tokenizer(store: ObjectStore, directory: Path, tokens: dict[str, int]) -> None:
    directory.mkdir()
    told = {"added_tokens": [{"id": at, "content": text} for text, at in tokens.items()]}
    (directory / "tokenizer.json").write_text(json.dumps(told))
    publish_base(store, directory, name=BASE, source="test", licence="none", architecture="none", eos_token="<eos>")


def test_a_code_model_fills_in_between_prefix_and_suffix(
    served: Gateway, client: httpx.Client, told: ToldEngine, tmp_path: Path
) -> None:
    publish_tokenizer(served.store, tmp_path / "code", FILLS_IN)
    answer = client.post("/v1/completions", json={"model": "answers", **CURSOR})
    assert answer.status_code == 200, answer.text
    sent = told.asked[0]
    assert sent["prompt"] == f"<fim_prefix>{CURSOR['prompt']}<fim_suffix>{CURSOR['suffix']}<fim_middle>"
    assert (sent["max_tokens"], sent["temperature"], sent["stop"], sent["stop_token_ids"]) == (64, 0, ["\n\n"], [0, 1, 2, 3])
    assert "suffix" not in sent, "vLLM refuses one"
    assert error(client.post("/v1/completions", json={"model": "plain", **CURSOR, "suffix": "a<fim_middle>b"})) == (
        400,
        "infill_reserved_text",
    )
    assert error(client.post("/v1/completions", json={"model": "plain", "prompt": [1, 2], "suffix": "x"})) == (
        422,
        "invalid_request",
    )


def test_a_model_that_cannot_fill_in_says_why_and_completes_at_the_end_of_a_file(
    served: Gateway, client: httpx.Client, told: ToldEngine, tmp_path: Path
) -> None:
    publish_tokenizer(served.store, tmp_path / "prose", {"<|im_end|>": 2})
    refused = client.post("/v1/completions", json={"model": "answers", **CURSOR})
    assert error(refused) == (400, "infill_unsupported") and BASE in refused.json()["error"]["message"]
    assert not told.asked, "the engine is left alone"
    assert client.post("/v1/completions", json={"model": "answers", **CURSOR, "suffix": ""}).status_code == 200
    assert told.asked[0]["prompt"] == CURSOR["prompt"] and "suffix" not in told.asked[0]


def test_a_newer_request_of_an_editors_session_ends_the_one_before(
    served: Gateway, client: httpx.Client, told: ToldEngine
) -> None:
    told.waits = True
    answers: dict[str, httpx.Response] = {}

    def ask(which: str) -> threading.Thread:
        def post() -> None:
            body = {"model": "plain", "prompt": which, "session": "window-1"}
            answers[which] = httpx.post(f"{served.url}/v1/completions", json=body, headers=client.headers, timeout=60)

        thread = threading.Thread(target=post)
        thread.start()
        wait_until(lambda: any(asked["prompt"] == which for asked in told.asked), which)
        return thread

    first = ask("first")
    told.waits = False
    second = ask("second")
    for thread in (first, second):
        thread.join(20)
    assert error(answers["first"]) == (409, "superseded") and told.left.wait(20), "its generation ends in the engine too"
    assert answers["second"].status_code == 200
    assert not any("session" in asked for asked in told.asked)


def test_a_superseded_stream_ends_with_an_error_event_and_another_keys_session_is_its_own(
    served: Gateway, client: httpx.Client, told: ToldEngine
) -> None:
    body = {"model": "plain", "prompt": "p", "stream": True}
    session = {"X-Session": "window-1"}
    with (
        served.reviewer("neighbour") as neighbour,
        client.stream("POST", "/v1/completions", json=body, headers=session) as mine,
        neighbour.stream("POST", "/v1/completions", json=body, headers=session) as theirs,
    ):
        own, other = mine.iter_raw(), theirs.iter_raw()
        assert TEXT.encode() in next(own) and TEXT.encode() in next(other)
        assert client.post("/v1/completions", json={**body, "stream": False}, headers=session).status_code == 200
        rest = b"".join(own)
        assert b'"code":"superseded"' in rest and b"[DONE]" not in rest
        assert told.left.wait(20)
        told.go_on.set()
        assert b"".join(other).endswith(b"data: [DONE]\n\n")


def test_every_answer_names_its_request(served: Gateway, client: httpx.Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = client.post(
        "/v1/completions", json={"model": "plain", "prompt": "p"}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    )
    assert answer.headers["X-Request-Id"] == trace
    assert chat(client, "nobody").headers["X-Request-Id"]


def test_openais_own_client_works_unchanged(served: Gateway, client: httpx.Client, told: ToldEngine) -> None:
    told.go_on.set()
    key = client.headers["authorization"].removeprefix("Bearer ")
    theirs = openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)
    assert "answers" in [model.id for model in theirs.models.list()]
    assert theirs.completions.create(model="answers", prompt="p").choices[0].text == TEXT
    streamed = theirs.completions.create(model="answers", prompt="p", stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == "".join(f"{TEXT}{at}" for at in range(3))
    said = theirs.chat.completions.create(model="answers", messages=MESSAGES)
    assert (said.choices[0].message.content, said.choices[0].finish_reason) == (TEXT, "stop")
    assert (said.model, said.usage.total_tokens) == ("answers", USAGE["total_tokens"])
    pieces = list(theirs.chat.completions.create(model="answers", messages=MESSAGES, stream=True))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "".join(f"{TEXT}{at}" for at in range(3))
    assert theirs.models.retrieve("answers").id == "answers"
    with pytest.raises(openai.NotFoundError, match="nobody"):
        theirs.chat.completions.create(model="nobody", messages=MESSAGES)

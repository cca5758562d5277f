"""Talking with a served model: streamed, compared with its base, remembered within a conversation."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands.chat import Talk
from cli.main import app
from cli.session import Session

DEPLOYMENT = {"name": "papers", "state": "ready", "detail": None, "wish": {"model": "papers-1", "base": "small-base"}}


class Gateway(BaseHTTPRequestHandler):
    """Serves one deployment, and answers each model with its own name and how many messages it was given."""

    asked: list[dict[str, Any]] = []
    deployments: list[dict[str, Any]] = [DEPLOYMENT]
    broken = False

    def do_GET(self) -> None:
        one = self.path == "/v1/deployments/papers"
        self._send("application/json", json.dumps(DEPLOYMENT if one else {"items": Gateway.deployments, "next_cursor": None}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Gateway.asked.append(asked)
        pieces = ["I am ", asked["model"], f", told {len(asked['messages'])}\x1b[2J"]
        chunks: list[Any] = [{"choices": [{"delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
        chunks += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {"completion_tokens": 7}}]
        if Gateway.broken:
            chunks[1:] = [{"error": {"message": "The engine went away.", "code": "engine_lost"}}]
        told = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
        self._send("text/event-stream", told + "data: [DONE]\n\n")

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.asked, Gateway.deployments, Gateway.broken = [], [DEPLOYMENT], False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def chat(gateway: str, home: Path, *arguments: str, text: str | None = None) -> Any:
    return CliRunner().invoke(app, ["chat", *arguments, "--server", gateway, "--home", str(home)], input=text)


def test_one_question_is_answered_without_what_could_steer_the_terminal(gateway: str, tmp_path: Path) -> None:
    answer = chat(gateway, tmp_path, "-m", "Who are you?")
    assert answer.exit_code == 0
    assert answer.stdout == "I am papers, told 1\ufffd[2J\n"
    assert Gateway.asked[0]["messages"] == [{"role": "user", "content": "Who are you?"}]
    assert Gateway.asked[0]["stream"] is True


def test_a_question_may_come_from_a_pipe(gateway: str, tmp_path: Path) -> None:
    assert chat(gateway, tmp_path, text="Who?\n").exit_code == 0
    assert Gateway.asked[0]["messages"][0]["content"] == "Who?"
    assert chat(gateway, tmp_path, text="").exit_code == 2


def test_the_base_is_asked_first_where_it_is_to_be_compared(gateway: str, tmp_path: Path) -> None:
    told = json.loads(chat(gateway, tmp_path, "papers", "-m", "Who?", "--compare-base", "--json").stdout)
    assert [(answer["model"], answer["finish_reason"], answer["tokens"]) for answer in told["answers"]] == [
        ("small-base", "stop", 7),
        ("papers", "stop", 7),
    ]


def test_each_model_hears_its_own_answers_only(gateway: str) -> None:
    talk = Talk(Session(as_json=True, server_option=gateway), DEPLOYMENT, ["small-base", "papers"], 64, 0.0)
    talk.ask("one")
    talk.ask("two")
    heard = {asked["model"]: [message["role"] for message in asked["messages"]] for asked in Gateway.asked[2:]}
    assert heard == {"small-base": ["user", "assistant", "user"], "papers": ["user", "assistant", "user"]}
    assert "papers" in Gateway.asked[3]["messages"][1]["content"]


def test_an_engine_that_goes_away_in_the_middle_is_a_failure(gateway: str, tmp_path: Path) -> None:
    Gateway.broken = True
    answer = chat(gateway, tmp_path, "-m", "Who?")
    assert answer.exit_code == 3
    assert "went away" in answer.stderr


def test_where_nothing_is_served_it_says_how_to_serve(gateway: str, tmp_path: Path) -> None:
    Gateway.deployments = []
    answer = chat(gateway, tmp_path, "-m", "Who?")
    assert answer.exit_code == 5
    assert "lectern deploy" in answer.stderr


def test_where_several_are_served_one_has_to_be_named(gateway: str, tmp_path: Path) -> None:
    Gateway.deployments = [DEPLOYMENT, {**DEPLOYMENT, "name": "other"}]
    answer = chat(gateway, tmp_path, "-m", "Who?")
    assert answer.exit_code == 2
    assert "papers, other" in answer.stderr

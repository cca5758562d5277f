"""The command as the shell sees it: help, exit codes, and JSON on stdout alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.home import Home, write_private
from cli.main import app
from cli.session import Session
from tests.servers import free_port

PROBLEMS: dict[str, tuple[int, dict[str, Any]]] = {
    "/v1/jobs/denied": (401, {"code": "unauthorized", "detail": "No key came."}),
    "/v1/jobs/forbidden": (403, {"code": "forbidden", "detail": "This needs the scope admin."}),
    "/v1/jobs/missing": (404, {"code": "not-found", "detail": "There is no job 'missing'."}),
    "/v1/jobs/clash": (409, {"code": "conflict", "detail": "It is done already."}),
    "/v1/jobs/wrong": (
        422,
        {"code": "invalid-request", "detail": "Not valid.", "errors": [{"field": "path.job", "message": "odd"}]},
    ),
    "/v1/jobs/broken": (503, {"code": "unavailable", "detail": "The catalog does not answer."}),
}
JOB = {"id": "good", "state": "done", "stage": "chunking", "progress": None, "code": None, "detail": None}


class Gateway(BaseHTTPRequestHandler):
    """A server that knows the answers above and remembers who asked."""

    keys: list[str | None] = []

    def do_GET(self) -> None:
        Gateway.keys.append(self.headers.get("Authorization"))
        status, body = PROBLEMS.get(self.path, (200, JOB))
        told = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def run(*arguments: str, home: Path) -> Any:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


@pytest.mark.parametrize(
    ("job", "exit_code"),
    [("good", 0), ("denied", 4), ("forbidden", 4), ("missing", 5), ("clash", 6), ("wrong", 2), ("broken", 3)],
)
def test_exit_codes_tell_programs_what_happened(gateway: str, tmp_path: Path, job: str, exit_code: int) -> None:
    answer = run("jobs", job, "--server", gateway, home=tmp_path)
    assert answer.exit_code == exit_code
    if exit_code:
        assert PROBLEMS[f"/v1/jobs/{job}"][1]["detail"] in answer.stderr


def test_the_fields_that_are_wrong_are_named(gateway: str, tmp_path: Path) -> None:
    assert "path.job: odd" in run("jobs", "wrong", "--server", gateway, home=tmp_path).stderr


def test_under_json_stdout_holds_json_alone_and_errors_are_json_on_stderr(gateway: str, tmp_path: Path) -> None:
    good = run("jobs", "good", "--json", "--server", gateway, home=tmp_path)
    assert json.loads(good.stdout) == JOB
    bad = run("jobs", "missing", "--json", "--server", gateway, home=tmp_path)
    assert bad.stdout == ""
    assert json.loads(bad.stderr)["error"] == {"code": "not-found", "message": "There is no job 'missing'.", "exit": 5}


def test_a_server_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    answer = run("jobs", "--server", f"http://127.0.0.1:{free_port()}", home=tmp_path)
    assert answer.exit_code == 3
    assert "lectern up" in answer.stderr


@pytest.mark.parametrize("server", ["nonsense", "ftp://127.0.0.1", "http://[broken"])
def test_what_is_no_url_is_a_usage_failure(tmp_path: Path, server: str) -> None:
    assert run("jobs", "--server", server, home=tmp_path).exit_code == 2


def test_the_homes_key_is_shown_to_the_homes_server_alone(gateway: str, tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.make()
    write_private(home.key_file, "lk-local\n")
    home.server_file.write_text(gateway)
    Gateway.keys.clear()
    run("jobs", "good", home=tmp_path)
    run("jobs", "good", "--server", gateway.replace("127.0.0.1", "localhost"), home=tmp_path)
    run("jobs", "good", "--server", gateway, "--key", "lk-given", home=tmp_path)
    assert Gateway.keys == ["Bearer lk-local", None, "Bearer lk-given"]


def test_the_environment_comes_after_options_and_before_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LECTERN_SERVER", "http://from-environment:1/")
    monkeypatch.setenv("LECTERN_KEY", "lk-environment")
    home = Home.at(tmp_path)
    home.make()
    home.server_file.write_text("http://from-home:1")
    assert Session(home_option=tmp_path).server == "http://from-environment:1"
    assert Session(home_option=tmp_path).key == "lk-environment"
    assert Session(home_option=tmp_path, server_option="http://given:1", key_option="lk-given").server == "http://given:1"


def test_every_command_has_help_and_takes_json() -> None:
    import typer

    def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from leaves(child, (*path, name))
        if not getattr(command, "commands", None):
            yield path, command

    found = dict(leaves(typer.main.get_command(app), ()))
    assert len(found) >= 30
    for path, command in found.items():
        assert command.help, path
        assert any("--json" in option.opts for option in command.params), path
        assert all(getattr(option, "help", None) for option in command.params), path
        assert CliRunner().invoke(app, [*path, "--help"]).exit_code == 0


def test_help_documents_the_exit_codes() -> None:
    told = CliRunner().invoke(app, ["--help"]).stdout
    for meaning in ("the work failed", "no server answers", "nothing is known under that name"):
        assert meaning in told


def test_showing_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "ray", "httpx", "pydantic_settings", "sqlalchemy", "celery", "services", "jinja2")
    code = f"import sys, cli.main; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

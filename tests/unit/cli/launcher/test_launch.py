"""Up, down and what lies between, with real processes."""

import json
import os
import signal
import socket
import stat
import sys
import time
from dataclasses import replace

import psutil
import pytest
from redis import Redis
from typer.testing import CliRunner

from cli.launcher import leftovers
from cli.launcher.down import alone, take_down
from cli.launcher.plan import Launch, OneShot, Program
from cli.launcher.supervision import connect
from cli.launcher.up import bring_up
from cli.main import app
from cli.outcome import Exit, Failure


def start(launch: Launch) -> list[str]:
    steps: list[str] = []
    bring_up(launch, steps.append, lambda _processes, _waiting: None)
    return steps


def test_up_brings_every_process_to_run_and_makes_a_key_that_the_store_knows(running: Launch) -> None:
    supervisor = connect(running.home)
    assert supervisor is not None
    states = {process.name: process.state for process in supervisor.processes()}
    assert states == dict.fromkeys(("valkey", "gateway", "worker_0", "worker_1"), "RUNNING")
    assert running.home.server() == running.server
    assert (running.home.key() or "").startswith("lk-")
    assert list(running.home.store.glob("keys/*/*.json"))


def test_what_holds_a_secret_is_readable_by_its_owner_alone(running: Launch) -> None:
    secrets = (running.home.key_file, running.home.token_file, running.home.valkey / "valkey.conf")
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert stat.S_IMODE(running.home.root.stat().st_mode) == 0o700
    assert running.queue_password not in (running.home.run / "supervisord.conf").read_text()


def test_the_queue_server_wants_its_password_and_keeps_an_append_only_file(running: Launch) -> None:
    with Redis(port=running.queue_port) as stranger, pytest.raises(Exception, match=r"(?i)auth"):
        stranger.ping()
    with Redis.from_url(running.queue_url) as queue:
        assert queue.config_get("appendonly")["appendonly"] == "yes"
        assert queue.config_get("bind")["bind"] == "127.0.0.1"


def test_a_home_that_is_up_is_told_and_left_alone(running: Launch) -> None:
    answer = CliRunner().invoke(app, ["up", "--json", "--home", str(running.home.root)])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == {"server": running.server, "home": str(running.home.root), "started": False}


def test_ps_tells_state_memory_and_what_runs_below(running: Launch) -> None:
    rows = json.loads(CliRunner().invoke(app, ["ps", "--json", "--home", str(running.home.root)]).stdout)
    found = {row["name"]: row for row in rows}
    assert found["worker_1"]["service"] == "worker"
    assert found["worker_1"]["children"] == 1
    assert all(row["memory_bytes"] > 1_000_000 and row["state"] == "RUNNING" for row in rows)


def test_down_leaves_no_process_even_of_those_that_escaped_their_parents(launch: Launch) -> None:
    start(launch)
    running = leftovers.marked(launch.token)
    escaped = [
        process
        for process in running
        if process.ppid() not in {each.pid for each in running} or os.getsid(process.pid) == process.pid
    ]
    assert len(running) >= 7, "supervisord, valkey, gateway, two workers and what escaped them"
    assert escaped
    stopped = take_down(launch.home)
    assert stopped.was_up
    assert stopped.leftovers >= 2
    assert leftovers.marked(launch.token) == []
    assert not any(psutil.pid_exists(process.pid) and process.is_running() for process in running)
    assert connect(launch.home) is None


def test_a_killed_service_comes_back_by_itself(launch: Launch) -> None:
    start(launch)
    supervisor = connect(launch.home)
    assert supervisor is not None
    before = {process.name: process.pid for process in supervisor.processes()}
    os.kill(before["valkey"] or 0, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = {process.name: process for process in supervisor.processes()}
        if now["valkey"].state == "RUNNING" and now["valkey"].pid != before["valkey"]:
            break
        time.sleep(0.1)
    else:
        pytest.fail("valkey did not come back")


def test_what_a_killed_supervisord_left_is_ended_by_the_next_up(launch: Launch) -> None:
    start(launch)
    supervisor = connect(launch.home)
    assert supervisor is not None
    os.kill(supervisor.pid(), signal.SIGKILL)
    deadline = time.monotonic() + 5
    while connect(launch.home) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leftovers.marked(launch.token), "its children outlive it"
    second = replace(launch, token="another-token")
    steps = start(second)
    assert any("earlier launch" in step for step in steps)
    assert leftovers.marked(launch.token) == []


def test_down_of_what_is_not_up_is_no_error(launch: Launch) -> None:
    answer = CliRunner().invoke(app, ["down", "--json", "--home", str(launch.home.root)])
    assert (answer.exit_code, json.loads(answer.stdout)["was_up"]) == (0, False)


def test_the_key_stays_the_same_from_one_up_to_the_next(launch: Launch) -> None:
    start(launch)
    first = launch.home.key()
    take_down(launch.home)
    start(launch)
    assert launch.home.key() == first
    assert len(list(launch.home.store.glob("keys/*/*.json"))) == 1


def test_a_taken_port_is_told_with_what_to_do_and_nothing_is_started(launch: Launch) -> None:
    taken = pytest.raises(Failure, match=rf"Port {launch.port} .* taken.* --port {launch.port + 1}")
    with socket.create_server(("127.0.0.1", launch.port)), taken as told:
        start(launch)
    assert told.value.exit_code == Exit.CONFLICT
    assert connect(launch.home) is None


def test_a_service_that_cannot_start_is_told_with_the_end_of_its_log(launch: Launch) -> None:
    broken = (*launch.services, Program("broken", (sys.executable, "-c", "raise SystemExit('no such thing')")))
    with pytest.raises(Failure, match=r"broken does not start.*(?s:.)*no such thing"):
        start(replace(launch, services=broken))


def test_a_one_shot_that_fails_stops_the_start_and_says_why(launch: Launch) -> None:
    failing = OneShot("publish_base", (sys.executable, "-c", "raise SystemExit('no model here')"), "Preparing the base model")
    with pytest.raises(Failure, match=r"Preparing the base model failed(?s:.)*no model here"):
        start(replace(launch, before=(failing,)))


def test_two_launches_of_one_home_do_not_run_at_once(launch: Launch) -> None:
    with alone(launch.home), pytest.raises(Failure, match="Another"), alone(launch.home):
        pass

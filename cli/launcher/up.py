"""Bringing a launch up: the queue server, the one-shots, the local key, the services, and the wait until they are ready."""

import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cli.home import write_private
from cli.launcher import leftovers, ports
from cli.launcher.configuration import write_configuration
from cli.launcher.local_key import ensure_key
from cli.launcher.plan import Launch, OneShot, working_directory
from cli.launcher.supervision import Process, Supervisor, start
from cli.outcome import Exit, Failure
from cli.settings import inherited_environment

QUEUE_SECONDS = 30.0
READY_SECONDS = 180.0
TAIL_LINES = 12

Tell = Callable[[str], None]
Watch = Callable[[list[Process], str], None]


def bring_up(launch: Launch, tell: Tell, watch: Watch) -> Supervisor:
    """Start everything and wait until the gateway is ready. Raises Failure; what was started then still runs: take it down.

    `tell` hears of each step; `watch` of the processes' states, time and again, with what is waited for.
    """
    _clear_stale(launch, tell)
    _require_free(launch.port)
    write_configuration(launch)
    write_private(launch.home.token_file, launch.token + "\n")
    supervisor = start(launch)
    tell("Starting the queue server")
    supervisor.start(launch.queue.name)
    _wait_for_queue(launch, supervisor)
    for step in launch.before:
        tell(step.telling)
        _run(step, launch)
    ensure_key(launch)
    tell("Starting the services")
    for program in launch.services:
        supervisor.start(program.name)
    launch.home.server_file.write_text(launch.server + "\n")
    _wait_until_ready(launch, supervisor, watch)
    return supervisor


def _clear_stale(launch: Launch, tell: Tell) -> None:
    """End what a supervisord that died left running, and remove its files."""
    token = launch.home.token()
    if token and (ended := leftovers.end(leftovers.marked(token))):
        tell(f"Ended {ended} processes that an earlier launch had left")
    launch.home.socket.unlink(missing_ok=True)
    for name in ("supervisord.pid", "token", "server"):
        (launch.home.run / name).unlink(missing_ok=True)


def _require_free(port: int) -> None:
    if ports.is_free(port):
        return
    who = ports.listener(port)
    by = f" by {who}" if who else ""
    raise Failure(
        f"Port {port} of 127.0.0.1 is taken{by}. Stop what listens there, or choose another: `lectern up --port {port + 1}`.",
        Exit.CONFLICT,
        "port-taken",
    )


def _wait_for_queue(launch: Launch, supervisor: Supervisor) -> None:
    from redis import Redis
    from redis.exceptions import RedisError

    deadline = time.monotonic() + QUEUE_SECONDS
    with Redis.from_url(launch.queue_url, socket_connect_timeout=2, socket_timeout=2) as queue:
        while time.monotonic() < deadline:
            with suppress(RedisError, OSError):
                if queue.ping():
                    return
            _require_no_fatal(supervisor)
            time.sleep(0.1)
    raise Failure(f"The queue server did not answer.{_tail(launch.home.log / 'valkey.log')}", Exit.FAILED, "launch")


def _run(step: OneShot, launch: Launch) -> None:
    log = launch.home.log / f"{step.name}.log"
    with log.open("wb") as output:
        finished = subprocess.run(
            step.command,
            env={**inherited_environment(), **launch.environment},
            cwd=working_directory(launch.home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if finished.returncode != 0:
        raise Failure(f"{step.telling} failed.{_tail(log)}", Exit.FAILED, "launch")


def _wait_until_ready(launch: Launch, supervisor: Supervisor, watch: Watch) -> None:
    import httpx

    deadline, waiting_for = time.monotonic() + READY_SECONDS, "the gateway to answer"
    with httpx.Client(base_url=launch.server, timeout=3.0, trust_env=False) as gateway:
        while time.monotonic() < deadline:
            processes = _require_no_fatal(supervisor)
            try:
                answer = gateway.get("/readyz")
                waiting_for = "everything to run" if answer.is_success else f"readiness: {answer.text[:200]}"
                ready = answer.is_success
            except httpx.HTTPError:
                ready = False
            watch(processes, waiting_for)
            if ready and all(process.state == "RUNNING" for process in processes):
                return
            time.sleep(0.3)
    raise Failure(
        f"Not ready after {READY_SECONDS:.0f} s, waiting for {waiting_for}. See `lectern logs`.", Exit.UNREACHABLE, "launch"
    )


def _require_no_fatal(supervisor: Supervisor) -> list[Process]:
    processes = supervisor.processes()
    for process in processes:
        if process.state == "FATAL":
            raise Failure(f"{process.name} does not start: {process.detail}{_tail(process.log)}", Exit.FAILED, "launch")
    return processes


def _tail(log: Path) -> str:
    """The end of a log, as part of a message."""
    if not log.exists():
        return ""
    with log.open(errors="replace") as lines:
        last = "".join(deque(lines, TAIL_LINES))
    return f" The end of {log}:\n{last.rstrip()}"

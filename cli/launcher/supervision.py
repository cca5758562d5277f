"""supervisord, as the launcher speaks to it over its socket."""

import http.client
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from cli.home import Home
from cli.launcher.configuration import configuration_file
from cli.launcher.plan import Launch
from cli.outcome import Exit, Failure
from cli.settings import inherited_environment

START_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Process:
    """A supervised process as supervisord sees it."""

    name: str
    group: str
    state: str
    pid: int | None
    started_at: float | None
    log: Path
    detail: str


class Supervisor:
    """The supervisord of a home that is running."""

    def __init__(self, home: Home) -> None:
        from supervisor.xmlrpc import SupervisorTransport

        self._home = home
        transport = SupervisorTransport(None, None, f"unix://{home.socket}")
        self._rpc: Any = ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def pid(self) -> int:
        return int(self._rpc.getPID())

    def processes(self) -> list[Process]:
        """What is supervised, in the order of the configuration file's groups."""
        return [_process(info, self._home) for info in self._rpc.getAllProcessInfo()]

    def start(self, group: str) -> None:
        """Have a group's processes started, without waiting for them."""
        self._quietly("startProcessGroup", group, False)

    def stop(self, group: str) -> None:
        self._quietly("stopProcessGroup", group, False)

    def shutdown(self) -> None:
        self._quietly("shutdown")

    def _quietly(self, method: str, *arguments: object) -> None:
        try:
            getattr(self._rpc, method)(*arguments)
        except Fault as fault:  # started already, stopped already, on its way down: what was asked for
            if fault.faultCode not in (6, 60, 70, 80):
                raise Failure(f"supervisord refused {method}: {fault.faultString}") from fault


def connect(home: Home) -> Supervisor | None:
    """The home's supervisord, or None where none answers."""
    if not home.socket.exists():
        return None
    supervisor = Supervisor(home)
    try:
        supervisor.pid()
    except (OSError, http.client.HTTPException, Fault):
        return None
    return supervisor


def start(launch: Launch) -> Supervisor:
    """Start a supervisord of its own session and wait until it answers. Raises Failure with what it said."""
    command = [
        sys.executable,
        "-m",
        "supervisor.supervisord",
        "--nodaemon",
        "--silent",
        "-c",
        str(configuration_file(launch.home)),
    ]
    said = launch.home.log / "supervisord.err"
    with said.open("wb") as errors:
        process = subprocess.Popen(
            command,
            env={**inherited_environment(), **launch.environment},
            cwd=launch.home.root,  # its configuration names files relative to here
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (supervisor := connect(launch.home)) is not None:
            return supervisor
        time.sleep(0.05)
    process.kill()
    raise Failure(f"supervisord did not start: {said.read_text(errors='replace').strip()[-800:]}", Exit.FAILED, "launch")


def _process(info: dict[str, Any], home: Home) -> Process:
    return Process(
        name=str(info["name"]),
        group=str(info["group"]),
        state=str(info["statename"]),
        pid=int(info["pid"]) or None,
        started_at=float(info["start"]) if info["pid"] else None,
        log=home.log / f"{info['name']}.log",
        detail=str(info["spawnerr"] or ""),
    )

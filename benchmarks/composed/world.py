"""A place where compose's names, ports and paths are free: a network, mounts and processes of the benchmark's own.

`store:9000`, `postgres:5432`, `valkey:6379` and `gateway:8080` are what they are in compose, /var/lib/lectern is each
container's own, and whatever was started is gone with the benchmark. What differs: all services share one loopback, and the
environment of each image is this machine's virtual environment.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("store", "postgres", "valkey", "gateway")
SOURCE, PYTHON, ENGINE, TOOLS = Path("/mnt/source"), Path("/opt/lectern"), Path("/opt/vllm"), Path("/mnt/tools")
USER, SERVERS_USER = 10001, 10002
USERS = {"lectern": USER, "servers": SERVERS_USER}
ROOT = Path(__file__).parents[2]


def enter(module: str) -> None:
    """Go on in such a place, in this process's stead; returns where this process is in it already."""
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        _furnish()
        return
    if os.getuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        raise SystemExit("This needs Linux, root, and util-linux's unshare and setpriv: it makes a network of its own.")
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    os.execvp("unshare", [*apart, sys.executable, "-m", module, *sys.argv[1:], "--inside"])


def _furnish() -> None:
    """What every container finds: the loopback, names, and paths as in the images."""
    _run("ip", "link", "set", "lo", "up")
    for directory in ("/mnt", "/opt", "/var/lib", "/var/cache"):
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory)
    for directory in (SOURCE, PYTHON, ENGINE, TOOLS, "/var/lib/lectern", "/var/cache/lectern"):
        Path(directory).mkdir()
    _open_interpreter(Path(sys.base_prefix))
    _run("mount", "--bind", str(ROOT), str(SOURCE))
    _run("mount", "--bind", sys.prefix, str(PYTHON))
    _own_etc()


def _open_interpreter(home: Path) -> None:
    """Where Python itself lies in a directory that other users may not enter, that directory holds nothing else here."""
    closed = [one for one in home.parents if one != Path("/") and not one.stat().st_mode & 0o001]
    if not closed:
        return
    held = TOOLS / "interpreter"
    held.mkdir()
    _run("mount", "--bind", str(home), str(held))
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed[-1]))
    home.mkdir(parents=True)
    _run("mount", "--bind", str(held), str(home))


def _own_etc() -> None:
    """A copy of all of /etc: what is mounted over one of its files is gone when a package that is installed meanwhile replaces
    the file."""
    own = TOOLS / "etc"
    shutil.copytree("/etc", own, symlinks=True)
    users = "".join(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for name, number in USERS.items())
    (own / "hosts").write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
    (own / "passwd").write_text((own / "passwd").read_text() + users)
    _run("mount", "--bind", str(own), "/etc")


def find_engine() -> Path | None:
    """The environment of vLLM that stands beside that of this process, bound to where serving's image has it."""
    beside = Path(sys.prefix).parent / ".venv-vllm"
    if not (beside / "bin" / "vllm").exists():
        return None
    _run("mount", "--bind", str(beside), str(ENGINE))
    return ENGINE


def _run(*command: str) -> None:
    subprocess.run(command, check=True)

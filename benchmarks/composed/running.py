"""Containers as processes: each with mounts and processes of its own, read-only, without capabilities, as the images' user;
killed and started again as compose does it."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.composed.compose import Container
from benchmarks.composed.standins import quoted, stand_in
from benchmarks.composed.world import PYTHON, SERVERS_USER, SOURCE, TOOLS, USER

BACK_OFF_SECONDS = 0.1
"""The first wait before a container that ended is started again; doubles, as in Docker."""


class Running:
    """One container, kept running where compose says so."""

    def __init__(self, container: Container, root: Path, number: int = 1) -> None:
        self.name = container.name if number == 1 else f"{container.name}-{number}"
        self.service = container.name
        self._root = root
        self._container = container if container.ours else stand_in(container, root / "volumes")
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self.starts = 0
        self.log = root / "log" / f"{self.name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{PYTHON}/bin:{TOOLS}:/usr/local/bin:/usr/bin:/bin"
        own = {"PATH": path, "PYTHONPATH": str(SOURCE)} if self._container.ours else {"PATH": path}
        return {**own, **self._container.environment}

    def start(self) -> None:
        self._wanted = True
        self._spawn()
        if self._container.restarts:
            threading.Thread(target=self._keep, daemon=True).start()

    def run(self, *argv: str, seconds: float = 600) -> str:
        """Run a command in a container of this kind that ends; its output. Raises where it fails."""
        finished = subprocess.run(
            self._command(argv or self._container.argv), env=self.environment, capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip
        with self.log.open("a") as log:
            log.write(finished.stderr)
        if finished.returncode != 0:
            raise RuntimeError(f"{self.name} ended with {finished.returncode}: {finished.stderr[-2000:]}")
        return finished.stdout

    @property
    def checked(self) -> bool:
        """Whether compose says how it is asked for its health."""
        return bool(self._container.health)

    def healthy(self) -> bool:
        asked = subprocess.run(
            self._container.health, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        return asked.returncode == 0

    def processor_seconds(self) -> float:
        """What its processes have used so far, with what those that ended left to their parents."""
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        used = 0.0
        for one in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                user, system, ended_user, ended_system, *_ = one.cpu_times()
                used += user + system + ended_user + ended_system
        return used

    def kill(self) -> None:
        """kill -9 of the container's first process, with which all of its others go."""
        assert self._process is not None
        for child in psutil.Process(self._process.pid).children():
            child.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def stop(self) -> None:
        self._wanted = False
        if self._process is None or self._process.poll() is not None:
            return
        for child in psutil.Process(self._process.pid).children():
            child.send_signal(signal.SIGINT if self.name == "postgres" else signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    def _keep(self) -> None:
        wait = BACK_OFF_SECONDS
        while self._wanted:
            began = time.monotonic()
            assert self._process is not None
            self._process.wait()
            wait = BACK_OFF_SECONDS if time.monotonic() - began > 10 else wait * 2
            time.sleep(wait)
            if self._wanted:
                self._spawn()

    def _spawn(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(self._container.argv), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _command(self, argv: tuple[str, ...]) -> list[str]:
        """In Docker's own order: mounts, then the read-only root, then the user without capabilities."""
        user = USER if self._container.ours else SERVERS_USER
        mounts = [quoted("mount", "--bind", str(source), target) for source, target in self._mounts()]
        if self._container.ours:
            mounts += ["mount -t tmpfs -o size=2g,mode=1777 shm /dev/shm", "mount -o remount,bind,ro /"]
        drop = (
            "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "--inh-caps=-all",
        )  # fmt: skip
        script = " && ".join([*mounts, quoted("cd", self._container.directory), f"exec {quoted(*drop, *argv)}"])
        apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")
        return [*apart, "sh", "-c", script]

    def _mounts(self) -> list[tuple[Path, str]]:
        """Named volumes are shared, others the container's own; /tmp last, since this machine's may hold the sources of all."""
        if not self._container.ours:
            return []
        found = []
        for named, target in self._container.volumes:
            source = self._root / "volumes" / (named or f"{self.name}{target.replace('/', '-')}")
            source.mkdir(parents=True, exist_ok=True)
            os.chown(source, USER, USER)
            found.append((source, target))
        return sorted(found, key=lambda one: one[1] == "/tmp")

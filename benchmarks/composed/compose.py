"""What docker-compose.yml and the Dockerfiles say, resolved: each service's command, environment, order, checks and volumes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True)
class Container:
    """A service as compose has it."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    needs: dict[str, str]
    health: tuple[str, ...]
    restarts: bool
    volumes: tuple[tuple[str | None, str], ...]
    directory: str
    image: str
    ours: bool


def containers(root: Path, given: dict[str, str]) -> dict[str, Container]:
    """Every service of compose, by name, under these variables of `.env`."""
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())
    prefix = given.get("LECTERN_IMAGE_PREFIX", "lectern")
    return {name: _container(root, name, service, given, prefix) for name, service in compose["services"].items()}


def _container(root: Path, name: str, service: dict[str, Any], given: dict[str, str], prefix: str) -> Container:
    image = _resolved(service["image"], given)
    ours = image.startswith(f"{prefix}/")
    built = _dockerfile(root / "docker" / f"{image.split('/')[1].split(':')[0]}.Dockerfile") if ours else Built()
    command = [_resolved(one, given) for one in service.get("command", built.command)]
    own = {
        key: given.get(key) if value is None else _resolved(str(value), given)
        for key, value in service.get("environment", {}).items()
    }
    health = [_resolved(one, given) for one in service.get("healthcheck", {}).get("test", ["CMD"])[1:]]
    return Container(
        name=name, argv=(*built.entrypoint, *command),
        environment={**built.environment, **{key: value for key, value in own.items() if value is not None}},
        needs={other: wait["condition"] for other, wait in service.get("depends_on", {}).items()},
        health=tuple(health), restarts=service.get("restart") == "unless-stopped",
        volumes=tuple(_volume(one) for one in service.get("volumes", ())), directory=built.directory, image=image, ours=ours,
    )  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What an image brings of itself."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] | None = None
    directory: str = "/"

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", self.environment or {})


def _dockerfile(path: Path) -> Built:
    """The last stage of a Dockerfile: its ENTRYPOINT, CMD, ENV and WORKDIR."""
    last = path.read_text().replace("\\\n", " ").rpartition("\nFROM ")[2]
    lines = dict(re.findall(r"^(ENTRYPOINT|CMD|WORKDIR) (.+)$", last, re.MULTILINE))
    environment = [pair.split("=", 1) for line in re.findall(r"^ENV (.+)$", last, re.MULTILINE) for pair in line.split()]
    return Built(
        entrypoint=tuple(json.loads(lines["ENTRYPOINT"])), command=tuple(json.loads(lines["CMD"])),
        environment={name: value for name, value in environment if name != "PATH"}, directory=lines["WORKDIR"],
    )  # fmt: skip


def _volume(mount: str) -> tuple[str | None, str]:
    source, _, target = mount.rpartition(":")
    return source or None, target


def _resolved(text: str, given: dict[str, str]) -> str:
    """Compose's own substitution. Raises KeyError where a variable must be given."""

    def value(match: re.Match[str]) -> str:
        name, how, rest = match.groups()
        if name is None:
            return "$"
        if given.get(name):
            return given[name]
        if how == "?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""

    return _VARIABLE.sub(value, text)

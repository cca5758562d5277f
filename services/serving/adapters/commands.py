"""What every engine's start has: a command line, an environment, an address on this machine."""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.settings import EngineSettings

HOST = "127.0.0.1"
"""Engines trust whoever reaches them (adapters load by path), so only this machine does: users come by the gateway. In a pod
they listen on its address, and demand a key."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, the environment it runs in, and where it will answer."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    endpoint: str


def address(host: str, port: int) -> str:
    """The URL of an engine; an IPv6 address stands in brackets there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def key_of(settings: EngineSettings, variable: str) -> dict[str, str]:
    """The variable by which an engine learns what it is to demand of whoever asks it."""
    key = settings.engine_api_key.get_secret_value() if settings.engine_api_key else ""
    return {variable: key} if key else {}


def free_port(taken: Collection[int] = ()) -> int:
    """A port that nobody listens on just now, and none of those that are `taken` by engines which do not listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port

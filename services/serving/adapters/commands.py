"""What every engine's start has: a command line, an environment, an address on this machine."""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
"""Engines trust whoever reaches them (adapters load by path), so only this machine does: users come by the gateway."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, the environment it runs in, and where it will answer."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    endpoint: str


def free_port(taken: Collection[int] = ()) -> int:
    """A port that nobody listens on just now, and none of those that are `taken` by engines which do not listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port

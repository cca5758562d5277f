"""API keys as they are kept: only a hash of the secret."""

from typing import Literal

from shared.contracts.base import Contract

Scope = Literal["read", "write", "admin"]


class ApiKey(Contract):
    """The latest of the series `keys/<id>/` counts. The secret has 256 random bits, so a plain SHA-256 of it is enough."""

    id: str
    name: str
    secret_sha256: str
    scopes: tuple[Scope, ...]
    created_at: str
    revoked_at: str | None = None

"""API keys as they are kept: only a hash of the secret."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract

Scope = Literal["read", "write", "admin"]


class Allowance(Contract):
    """How much a key may ask of the models that are served; without a number, as much as they can answer."""

    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000, description="Chats and completions in a minute.")
    tokens_per_day: int | None = Field(
        None, ge=1, le=1_000_000_000_000, description="Tokens of prompts and answers in a day (UTC)."
    )


class KeyUse(Contract):
    """What a key has asked of the models on one day (UTC)."""

    requests: int = 0
    tokens: int = Field(0, description="Of prompts and answers, as the engines count them.")


class ApiKey(Allowance):
    """The latest of the series `keys/<id>/` counts. The secret has 256 random bits, so a plain SHA-256 of it is enough."""

    id: str
    name: str
    secret_sha256: str
    scopes: tuple[Scope, ...]
    created_at: str
    revoked_at: str | None = None

    @property
    def limited(self) -> bool:
        return self.requests_per_minute is not None or self.tokens_per_day is not None


class Person(Contract):
    """Somebody who signs in at an OpenID provider, `people/<digest of issuer and subject>/`; the last one counts."""

    issuer: str
    subject: str = Field(description="Their name for the provider, which it never gives to anybody else.")
    key: str = Field(description="Id of the API key that stands for them.")
    at: str


class Deed(Contract):
    """Something that a key changed: an entry of the audit log, `audit/<day>/<id>.json`."""

    id: str
    at: str
    key: str = Field(description="Id of the API key; sessions of browsers act for theirs.")
    name: str = Field(description="The key's name at the time.")
    method: str
    path: str
    status: int
    trace: str = Field(description="Names the request in the logs.")

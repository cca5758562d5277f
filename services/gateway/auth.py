"""Who may do what: API keys as bearer tokens, with scopes that include the ones below them."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.gateway.parts import PartsOf
from shared.contracts.keys import ApiKey, Scope
from shared.errors import Forbidden, Unauthorized

RANK: dict[Scope, int] = {"read": 0, "write": 1, "admin": 2}

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="`Authorization: Bearer lk-…`. Keys are made with `lectern key create`, or `POST /v1/keys` by an admin.",
)


def allows(key: ApiKey, wanted: Scope) -> bool:
    """Whether a key's scopes include a scope: admin includes write, and write includes read."""
    return any(RANK[scope] >= RANK[wanted] for scope in key.scopes)


def _authenticated(parts: PartsOf, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> ApiKey:
    if credentials is None:
        raise Unauthorized("Send an API key as `Authorization: Bearer lk-…`; `lectern key create` makes one.")
    key = parts.catalog.key_by_secret(hashlib.sha256(credentials.credentials.encode()).hexdigest())
    if key is None or key.revoked_at is not None:
        raise Unauthorized("This API key is unknown or was revoked; `lectern key create` makes a new one.")
    return key


def _require(scope: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    async def allowed(key: Annotated[ApiKey, Depends(_authenticated)]) -> ApiKey:
        if not allows(key, scope):
            raise Forbidden(f"This needs a key with the scope `{scope}`; this key has {', '.join(key.scopes)}.")
        return key

    return allowed


Reader = Annotated[ApiKey, Depends(_require("read"))]
Writer = Annotated[ApiKey, Depends(_require("write"))]
Admin = Annotated[ApiKey, Depends(_require("admin"))]

"""Who may do what: API keys as bearer tokens, or a browser's session of one, with scopes that include the ones below them."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.gateway.parts import Parts, PartsOf
from services.gateway.sessions import CSRF_HEADER, session_of
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


def key_of_secret(parts: Parts, secret: str) -> ApiKey:
    """Raises Unauthorized."""
    key = parts.catalog.key_by_secret(hashlib.sha256(secret.encode()).hexdigest())
    if key is None or key.revoked_at is not None:
        raise Unauthorized("This API key is unknown or was revoked; `lectern key create` makes a new one.")
    return key


def _authenticated(
    parts: PartsOf, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> ApiKey:
    key = key_of_secret(parts, credentials.credentials) if credentials is not None else _of_session(parts, request)
    request.scope["lectern.key"] = key
    return key


def _of_session(parts: Parts, request: Request) -> ApiKey:
    """The key behind the web app's own scripts. What changes something has to carry the session's token too, since a
    browser sends cookies unasked."""
    session = session_of(parts.catalog, request)
    if session is None:
        raise Unauthorized("Send an API key as `Authorization: Bearer lk-…`; `lectern key create` makes one.")
    if request.method not in ("GET", "HEAD") and not session.sent(request.headers.get(CSRF_HEADER, "")):
        raise Forbidden("A request by a browser's session needs its token in `X-CSRF-Token`; reload the page.")
    return session.key


def _require(scope: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    async def allowed(key: Annotated[ApiKey, Depends(_authenticated)]) -> ApiKey:
        if not allows(key, scope):
            raise Forbidden(f"This needs a key with the scope `{scope}`; this key has {', '.join(key.scopes)}.")
        return key

    return allowed


Reader = Annotated[ApiKey, Depends(_require("read"))]
Writer = Annotated[ApiKey, Depends(_require("write"))]
Admin = Annotated[ApiKey, Depends(_require("admin"))]

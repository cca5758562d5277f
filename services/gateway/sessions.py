"""Sessions of browsers: a cookie that stands for an API key without holding its secret.

The cookie is signed with what only the catalog knows of the key (the hash of its secret), so every gateway can check it,
no secret of the gateway's own has to be kept, and a revoked key ends its sessions at once.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from fastapi import Request

from shared.catalog.protocol import Catalog
from shared.contracts.keys import ApiKey

COOKIE = "lectern_session"
CSRF_HEADER = "x-csrf-token"
SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in, and the token that forms and scripts of this session have to send along."""

    key: ApiKey
    csrf: str

    def sent(self, token: str) -> bool:
        """Whether that is this session's token."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


def begin(key: ApiKey) -> str:
    """The cookie of a new session."""
    told = f"{key.id}.{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(16)}"
    return f"{told}.{_mac(key, 'session', told)}"


def session_of(catalog: Catalog, request: Request) -> Session | None:
    """The session that a request belongs to, or None where it has none that counts."""
    told, _, mac = request.cookies.get(COOKIE, "").rpartition(".")
    identity, _, rest = told.partition(".")
    until = rest.partition(".")[0]
    if not (until.isascii() and until.isdigit()) or len(until) > 12 or int(until) < time.time():
        return None
    key = catalog.key(identity)
    if key is None or key.revoked_at is not None or not hmac.compare_digest(_mac(key, "session", told), mac):
        return None
    return Session(key, _mac(key, "csrf", told))


def _mac(key: ApiKey, purpose: str, told: str) -> str:
    return hmac.new(key.secret_sha256.encode(), f"{purpose}:{told}".encode(), hashlib.sha256).hexdigest()

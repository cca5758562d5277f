"""Sign-ins on their way: what has to be known when the provider sends a browser back. Kept by the queue server for ten
minutes, used once, and tied to the browser that began; so any gateway can end what another began."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from services.gateway.oidc.errors import SignInRefused
from shared.contracts.base import Contract
from shared.errors import Unavailable

PENDING_SECONDS = 600


class Pending(Contract):
    """Of one sign-in. The browser's own secret is in its cookie; here stands the hash."""

    nonce: str
    verifier: str
    target: str
    browser_sha256: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser takes along: `state` through the provider, `browser` in its cookie."""

    state: str
    browser: str
    pending: Pending


class PendingSignIns:
    """Over Redis. Raises Unavailable where it does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def begin(self, target: str) -> Begun:
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        # 48 bytes are 64 characters: within what RFC 7636 section 4.1 allows of a verifier.
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        pending = Pending(nonce=nonce, verifier=verifier, target=target, browser_sha256=_hash(browser))
        try:
            self._redis.set(_key(state), pending.model_dump_json(), ex=PENDING_SECONDS)
        except RedisError as error:
            raise Unavailable("The queue server does not answer, and single sign-on needs it; a key needs it not.") from error
        return Begun(state, browser, pending)

    def take(self, state: str, browser: str) -> Pending:
        """Once. Raises SignInRefused."""
        try:
            content = self._redis.getdel(_key(state))
        except RedisError as error:
            raise Unavailable("The queue server does not answer, and single sign-on needs it; a key needs it not.") from error
        if content is None:
            raise SignInRefused("This sign-in took more than ten minutes, or was ended before; sign in again.")
        pending = Pending.model_validate_json(content)
        if not hmac.compare_digest(pending.browser_sha256, _hash(browser)):
            raise SignInRefused("This sign-in was begun in another browser; sign in again.")
        return pending


def _key(state: str) -> str:
    return f"sign-in:{_hash(state)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

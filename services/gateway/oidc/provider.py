"""The OpenID provider as it describes itself: its addresses and its keys, fetched when they are needed and kept for a while."""

import threading
import time
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from pydantic import BaseModel, ValidationError

from services.gateway.oidc.errors import ProviderAway
from services.gateway.oidc.settings import is_safe

KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
"""Between two looks for a key that is not known: whoever makes names of keys up cannot make us ask for each."""
TIMEOUT_SECONDS = 10.0
MOST_BYTES = 1 << 20
KINDS = ("RSA", "EC", "OKP")
"""Kinds of public keys. Symmetric ones are not taken, so that no public value can ever serve as a secret."""

Key = RSAKey | ECKey | OKPKey


class Metadata(BaseModel):
    """What we use of OpenID Connect Discovery 1.0, section 3, and of RFC 9207."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """Safe to share between threads."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, dict[str | None, Key]] | None = None

    def metadata(self) -> Metadata:
        """Raises ProviderAway."""
        with self._lock:
            if self._metadata is None or time.monotonic() - self._metadata[0] > KEPT_SECONDS:
                self._metadata = (time.monotonic(), self._described())
            return self._metadata[1]

    def key(self, name: str | None) -> Key | None:
        """The public key of that name (`kid`), None where there is none; the only one there is where no name is given.
        Raises ProviderAway."""
        address = self.metadata().jwks_uri
        with self._lock:
            known = self._keys
            age = time.monotonic() - known[0] if known else None
            if known is None or age is None or age > KEPT_SECONDS or (name not in known[1] and age > AGAIN_SECONDS):
                known = self._keys = (time.monotonic(), _keys(self._read(address)))
        keys = known[1]
        if name is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(name)

    def _described(self) -> Metadata:
        found = self._read(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            told = Metadata.model_validate(found)
        except ValidationError as error:
            raise ProviderAway("The sign-in provider does not describe itself as OpenID Connect Discovery asks.") from error
        if told.issuer != self._issuer:
            raise ProviderAway(f"The sign-in provider calls itself {told.issuer!r}; LECTERN_OIDC_ISSUER has to say just that.")
        if not all(map(is_safe, (told.authorization_endpoint, told.token_endpoint, told.jwks_uri))):
            raise ProviderAway("The sign-in provider names addresses without HTTPS.")
        return told

    def _read(self, address: str) -> dict[str, Any]:
        try:
            with self._http.stream("GET", address, headers={"Accept": "application/json"}) as answer:
                answer.raise_for_status()
                content = b""
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > MOST_BYTES:
                        raise ProviderAway("The sign-in provider's answer is too long to be meant.")
            value = httpx.Response(200, content=content).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderAway(f"The sign-in provider does not answer at {address}; try again in a moment.") from error
        if not isinstance(value, dict):
            raise ProviderAway(f"The sign-in provider's answer at {address} is no JSON object.")
        return value


def _keys(told: dict[str, Any]) -> dict[str | None, Key]:
    """Public keys for signatures by name; those of other kinds and for other uses are left out."""
    found: dict[str | None, Key] = {}
    for one in told.get("keys") or ():
        if isinstance(one, dict) and one.get("kty") in KINDS and one.get("use", "sig") == "sig":
            try:
                key = import_key(one)
            except (JoseError, ValueError, TypeError):
                continue
            if isinstance(key, Key):
                found[one.get("kid")] = key
    return found

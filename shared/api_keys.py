"""API keys: who may do what, and how much of it. A secret is kept nowhere, its digest alone."""

import hashlib
import secrets
from dataclasses import dataclass

from shared import layout
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.keys import Allowance, ApiKey, Scope
from shared.errors import NotFound
from shared.objects import ObjectStore, Series


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys made and made worthless."""

    store: ObjectStore
    catalog: Catalog

    def create(
        self, name: str, scopes: tuple[Scope, ...], secret: str | None = None, allowance: Allowance | None = None
    ) -> tuple[ApiKey, str]:
        """A new API key and its secret, which is kept nowhere."""
        secret = secret or f"lk-{secrets.token_urlsafe(32)}"
        hashed = hashlib.sha256(secret.encode()).hexdigest()
        limits = allowance or Allowance()
        key = ApiKey(
            id=secrets.token_hex(6), name=name, secret_sha256=hashed, scopes=scopes, created_at=now(),
            requests_per_minute=limits.requests_per_minute, tokens_per_day=limits.tokens_per_day,
        )  # fmt: skip
        Series(self.store, layout.api_key(key.id)).append(key)
        self.catalog.put_key(key)
        return key, secret

    def revoke(self, key: str) -> ApiKey:
        """Make a key worthless from now on. Raises NotFound."""
        series = Series(self.store, layout.api_key(key))
        latest = series.latest(ApiKey)
        if latest is None:
            raise NotFound(f"There is no key {key!r}.")
        revoked = latest[1].model_copy(update={"revoked_at": now()})
        series.append(revoked)
        self.catalog.put_key(revoked)
        return revoked

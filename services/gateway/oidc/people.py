"""People who sign in at a provider: each stands as an API key whose secret nobody knows, so that roles, sessions, limits and
the audit log are those of keys.

A person is a series of facts, `people/<digest of issuer and subject>/`; the last one names the key. A role or a name that
changed makes a new key and revokes the old one, which ends its sessions. Whether somebody may sign in is the provider's word.
"""

from services.gateway.oidc.identity import Identity
from services.gateway.oidc.settings import Role
from shared import layout
from shared.api_keys import ApiKeys
from shared.clock import now
from shared.contracts.keys import ApiKey, Person, Scope
from shared.keys import digest
from shared.objects import Series
from shared.queue import Leases

SCOPES: dict[Role, Scope] = {"viewer": "read", "reviewer": "write", "admin": "admin"}


def key_of(keys: ApiKeys, leases: Leases, who: Identity) -> ApiKey:
    """The key that somebody acts by. Raises LeaseHeld where the same person is just being signed in elsewhere."""
    name, scopes = f"{who.name} (single sign-on)", (SCOPES[who.role],)
    path = layout.person(digest([who.issuer, who.subject]))
    with leases.hold(path):
        series = Series(keys.store, path)
        latest = series.latest(Person)
        standing = keys.catalog.key(latest[1].key) if latest else None
        if standing is not None and standing.revoked_at is None:
            if (standing.name, standing.scopes) == (name, scopes):
                return standing
            keys.revoke(standing.id)
        key, _ = keys.create(name, scopes)
        series.append(Person(issuer=who.issuer, subject=who.subject, key=key.id, at=now()))
        return key

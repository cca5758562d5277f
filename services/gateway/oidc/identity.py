"""Who an ID token says somebody is, after everything about it was checked (OpenID Connect Core 1.0, section 3.1.3.7)."""

import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from services.gateway.oidc.errors import SignInRefused
from services.gateway.oidc.provider import Key
from services.gateway.oidc.settings import OidcSettings, Role

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures with a private key alone: neither `none` nor HMAC."""
LEEWAY_SECONDS = 60
MOST_SECONDS_OLD = 600
"""A token is used at once; one from longer ago is being replayed."""
RANK: tuple[Role, ...] = ("viewer", "reviewer", "admin")

_SHOWN = re.compile(r"[\x00-\x1f\x7f]")

FindKey = Callable[[str | None], Key | None]


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as the provider knows them."""

    issuer: str
    subject: str
    name: str
    role: Role


def verified(token: str, find: FindKey, settings: OidcSettings, nonce: str) -> dict[str, Any]:
    """The claims of an ID token meant for us, now and for this very sign-in. Raises SignInRefused."""
    try:
        claims = jwt.decode(token, _key_of(token, find), algorithms=list(ALGORITHMS)).claims
        JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": str(settings.oidc_issuer)},
            aud={"essential": True, "value": str(settings.oidc_client_id)},
            sub={"essential": True}, exp={"essential": True}, iat={"essential": True}, nonce={"essential": True},
        ).validate(claims)  # fmt: skip
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignInRefused(f"The sign-in provider's token does not count ({_reason(error)}); sign in again.") from error
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise SignInRefused("The sign-in provider's token is for another sign-in (nonce); sign in again.")
    if claims.get("azp", settings.oidc_client_id) != settings.oidc_client_id:
        raise SignInRefused("The sign-in provider's token is for another application (azp).")
    if claims["iat"] < time.time() - MOST_SECONDS_OLD:
        raise SignInRefused("The sign-in provider's token is from too long ago (iat); sign in again.")
    return dict(claims)


def _key_of(token: str, find: FindKey) -> Key:
    header = extract_compact(token.encode()).headers()
    if header.get("alg") not in ALGORITHMS:
        raise ValueError("unsigned, or signed in a way that is not taken")
    key = find(header.get("kid"))
    if key is None:
        raise ValueError("signed with a key that the provider does not publish")
    return key


def _reason(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__


def identity(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Raises SignInRefused for those that have no role here."""
    name = next((str(claims[one]) for one in ("email", "preferred_username", "name", "sub") if claims.get(one)), "?")
    role = role_of(claims, settings)
    if role is None:
        raise SignInRefused(
            f"{name[:100]} is known to the sign-in provider, but has no role in Lectern. Whoever administers it can give one: "
            f"the claim `{settings.oidc_role_claim}` decides."
        )
    return Identity(str(settings.oidc_issuer), str(claims["sub"]), _SHOWN.sub("", name)[:80] or "?", role)


def role_of(claims: Mapping[str, Any], settings: OidcSettings) -> Role | None:
    """The highest role that is mapped, else the default."""
    held = {one for one in _values(claims, settings.oidc_role_claim) if one in settings.oidc_roles}
    roles = [settings.oidc_roles[one] for one in held]
    if roles:
        return max(roles, key=RANK.index)
    return None if settings.oidc_default_role == "none" else settings.oidc_default_role


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """What stands under a claim of that name, or under a path of names with dots between."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []

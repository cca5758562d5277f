"""Which role a provider's claims give, and which settings are refused before anybody signs in."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.oidc.identity import identity, role_of
from services.gateway.oidc.settings import OidcSettings

WHOLE: dict[str, Any] = {
    "oidc_issuer": "https://id.example.org", "oidc_client_id": "lectern", "public_url": "https://lectern.example.org",
    "oidc_roles": {"staff": "reviewer", "it": "admin", "guests": "viewer"},
}  # fmt: skip


def settings(**changed: Any) -> OidcSettings:
    return OidcSettings(**{**WHOLE, **changed})


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["guests", "staff"]}, "reviewer"),
        ({"groups": ["it", "guests"]}, "admin"),
        ({"groups": "guests"}, "viewer"),
        ({"groups": ["others", 7, None]}, None),
        ({"groups": {"it": True}}, None),
        ({}, None),
    ],
)
def test_the_highest_mapped_role_counts(claims: dict[str, Any], role: str | None) -> None:
    assert role_of(claims, settings()) == role


def test_a_claim_may_lie_deeper_or_have_dots_in_its_name() -> None:
    assert role_of({"realm_access": {"roles": ["it"]}}, settings(oidc_role_claim="realm_access.roles")) == "admin"
    assert role_of({"https://example.org/roles": ["it"]}, settings(oidc_role_claim="https://example.org/roles")) == "admin"


def test_the_default_is_for_those_without_a_mapped_role() -> None:
    assert role_of({"groups": ["others"]}, settings(oidc_default_role="viewer")) == "viewer"
    assert role_of({"groups": ["it"]}, settings(oidc_default_role="viewer")) == "admin"


def test_a_name_is_a_line_of_text() -> None:
    told = {"sub": "1", "email": "a\x1b[31m\n" + "b" * 200, "groups": ["it"]}
    assert identity(told, settings()).name == "a[31m" + "b" * 75


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "https://"),
        ({"public_url": "http://lectern.example.org"}, "https://"),
        ({"public_url": None}, "LECTERN_PUBLIC_URL"),
        ({"oidc_client_id": None}, "LECTERN_OIDC_CLIENT_ID"),
        ({"oidc_roles": {}}, "nobody could sign in"),
        ({"oidc_scopes": "profile email"}, "oidc_scopes"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        settings(**changed)

"""Settings of single sign-on: off unless an issuer is named."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from shared.settings import SharedSettings

Role = Literal["viewer", "reviewer", "admin"]

_HERE = ("127.0.0.1", "localhost", "::1")


class OidcSettings(SharedSettings):
    """Who tells us who somebody is, and what makes them which role."""

    public_url: str | None = Field(None, description="Where browsers reach the gateway: `https://lectern.example.org`.")
    oidc_issuer: str | None = Field(None, description="URL of the OpenID provider, as its discovery document says it.")
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = Field(None, description="None for a public client: PKCE protects the code alone.")
    oidc_name: str = Field("single sign-on", min_length=1, max_length=60, description="What the sign-in page calls it.")
    oidc_scopes: str = Field("openid profile email", pattern=r"(^| )openid( |$)")
    oidc_role_claim: str = Field("groups", description="Claim of the ID token with what `oidc_roles` maps; dots go deeper.")
    oidc_roles: dict[str, Role] = Field({}, description='As JSON: `{"library-staff": "reviewer"}`. The highest counts.')
    oidc_default_role: Literal["none", "viewer", "reviewer", "admin"] = Field(
        "none", description="Of those with no mapped role; none: they may not sign in."
    )

    @model_validator(mode="after")
    def _whole(self) -> "OidcSettings":
        if not self.oidc_issuer:
            return self
        if not self.oidc_client_id or not self.public_url:
            raise ValueError("LECTERN_OIDC_ISSUER needs LECTERN_OIDC_CLIENT_ID and LECTERN_PUBLIC_URL too")
        for name, url in (("LECTERN_OIDC_ISSUER", self.oidc_issuer), ("LECTERN_PUBLIC_URL", self.public_url)):
            if not is_safe(url):
                raise ValueError(f"{name} must be an https:// URL; http:// is for this very machine alone")
        if not self.oidc_roles and self.oidc_default_role == "none":
            raise ValueError("nobody could sign in: set LECTERN_OIDC_ROLES or LECTERN_OIDC_DEFAULT_ROLE")
        return self


def is_safe(url: str) -> bool:
    """Whether what is sent there is kept from the network: HTTPS, or this very machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)

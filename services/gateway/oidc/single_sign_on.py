"""The flow: to the provider with a challenge, back with a code, and the code for an ID token that says who it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client

from services.gateway.oidc.errors import ProviderAway, SignInRefused
from services.gateway.oidc.identity import Identity, identity, verified
from services.gateway.oidc.pending import PendingSignIns
from services.gateway.oidc.provider import TIMEOUT_SECONDS, Metadata, Provider
from services.gateway.oidc.settings import OidcSettings
from shared.queue import open_redis

CALLBACK = "/sign-in/oidc/callback"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and the secret that it keeps until it is back."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """Sign-in at one provider."""

    settings: OidcSettings
    provider: Provider
    pending: PendingSignIns

    @property
    def name(self) -> str:
        return self.settings.oidc_name

    def depart(self, target: str) -> Departure:
        """Begin a sign-in that is to end at a page of ours. Raises Unavailable."""
        told = self.provider.metadata()
        begun = self.pending.begin(target)
        with self._client(told) as client:
            url, _ = client.create_authorization_url(
                told.authorization_endpoint, state=begun.state, code_verifier=begun.pending.verifier, nonce=begun.pending.nonce
            )
        return Departure(url, begun.browser)

    def arrive(self, query: Mapping[str, str], browser: str) -> tuple[Identity, str]:
        """Who came back, and the page they wanted. Raises SignInRefused, Unavailable."""
        pending = self.pending.take(query.get("state", ""), browser)
        told = self.provider.metadata()
        self._check_issuer(told, query.get("iss"))
        if "error" in query:
            reason = query.get("error_description") or query["error"]
            raise SignInRefused(f"The sign-in provider refused: {reason[:200]}")
        token = self._exchange(told, query.get("code", ""), pending.verifier)
        claims = verified(token, self.provider.key, self.settings, pending.nonce)
        return identity(claims, self.settings), pending.target

    def farewell(self) -> str | None:
        """Where one signs out of the provider too, if it says."""
        try:
            end = self.provider.metadata().end_session_endpoint
        except ProviderAway:
            return None
        back = {"client_id": self.settings.oidc_client_id, "post_logout_redirect_uri": f"{self._public}/sign-in"}
        return f"{end}{'&' if '?' in end else '?'}{urlencode(back)}" if end else None

    @property
    def _public(self) -> str:
        return str(self.settings.public_url).rstrip("/")

    def _check_issuer(self, told: Metadata, issuer: str | None) -> None:
        """RFC 9207: an answer says who it is from, where the provider says that its answers do."""
        if issuer is None and not told.authorization_response_iss_parameter_supported:
            return
        if issuer != told.issuer:
            raise SignInRefused("This sign-in was answered by another provider; sign in again.")

    def _exchange(self, told: Metadata, code: str, verifier: str) -> str:
        with self._client(told) as client:
            try:
                answer = client.fetch_token(
                    told.token_endpoint, code=code, code_verifier=verifier, grant_type="authorization_code"
                )
            except httpx2.HTTPError as error:
                raise ProviderAway("The sign-in provider does not answer; try again in a moment.") from error
            except (AuthlibBaseError, ValueError) as error:
                raise SignInRefused(f"The sign-in provider did not take its own code back: {str(error)[:200]}") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused("The sign-in provider gave no ID token; the scope `openid` has to be allowed there.")
        return token

    def _client(self, told: Metadata) -> OAuth2Client:
        kept = self.settings.oidc_client_secret
        secret = kept.get_secret_value() if kept else ""
        basic = "client_secret_basic" in told.token_endpoint_auth_methods_supported
        method = "none" if not secret else "client_secret_basic" if basic else "client_secret_post"
        return OAuth2Client(
            self.settings.oidc_client_id, secret or None, token_endpoint_auth_method=method,
            scope=self.settings.oidc_scopes, redirect_uri=f"{self._public}{CALLBACK}", code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )  # fmt: skip


def open_single_sign_on(settings: OidcSettings) -> SingleSignOn | None:
    """None where no provider is configured."""
    if not settings.oidc_issuer:
        return None
    return SingleSignOn(settings, Provider(settings.oidc_issuer), PendingSignIns(open_redis(settings)))

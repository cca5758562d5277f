"""A small OpenID provider that speaks HTTP: discovery, keys, a page to sign in, codes that are checked as the RFCs ask, and ID
tokens signed with a real RSA key. Tests spoil single answers of it."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

HEAD = '<!doctype html><title>Provider</title><link rel="icon" href="data:,">'
CLIENT, SECRET = "lectern", "s3cret of: the client"


@dataclass
class OidcProvider:
    """`claims` go into each token over the usual ones; `sign` may make the token otherwise."""

    claims: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    issuer: str = ""
    asks: bool = False
    """Whether the sign-in page is shown, or the browser sent back at once as by somebody signed in there."""
    says_issuer: bool = False
    denies: str | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self.discovery)
        app.get("/jwks")(self.jwks)
        app.get("/authorize")(self.authorize)
        app.post("/token")(self.token)
        app.get("/end")(self.end)
        return app

    def discovery(self) -> dict[str, Any]:
        self.seen.append("discovery")
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint": f"{self.issuer}/token", "end_session_endpoint": f"{self.issuer}/end",
            "authorization_response_iss_parameter_supported": self.says_issuer,
        }  # fmt: skip

    def jwks(self) -> dict[str, Any]:
        self.seen.append("jwks")
        return {"keys": [self.key.as_dict(private=False), {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"}]}

    def authorize(self, request: Request, go: bool = False) -> Response:
        asked = {name: value for name, value in request.query_params.items() if name != "go"}
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT, asked
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split(), asked
        if self.asks and not go:
            target = f"/authorize?{urlencode({**asked, 'go': 'true'})}".replace("&", "&amp;")
            return HTMLResponse(f'{HEAD}<h1>Provider</h1><a href="{target}">Be Ada</a>')
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        told = {"error": self.denies} if self.denies else {"code": code}
        told |= {"iss": self.issuer} if self.says_issuer else {}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**told, 'state': asked['state']})}", 303)

    def token(
        self, request: Request, code: str = Form(), redirect_uri: str = Form(), code_verifier: str = Form(),
        grant_type: str = Form(),
    ) -> Response:  # fmt: skip
        asked = self.codes.pop(code, None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        if asked is None or grant_type != "authorization_code" or asked["redirect_uri"] != redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant", "error_description": "PKCE"}, 400)
        at = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "ada-1", "iat": at, "exp": at + 300, "nonce": asked["nonce"],
            "email": "ada@example.org", "groups": ["library-staff"], **self.claims,
        }  # fmt: skip
        token = (self.sign or self.signed)({name: value for name, value in claims.items() if value is not None})
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None, **header: str) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k1", **header}, claims, key or self.key, algorithms=["RS256"])

    def end(self) -> HTMLResponse:
        return HTMLResponse(
            "<!doctype html><title>Out</title><link rel='icon' href='data:,'><h1>Signed out of the provider</h1>"
        )


def unsigned(claims: dict[str, Any]) -> str:
    """A token under `alg: none`."""
    import json

    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts) + "."


def settings_of(issuer: str, public_url: str) -> dict[str, Any]:
    """The gateway's settings for it."""
    return {
        "oidc_issuer": issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "public_url": public_url,
        "oidc_name": "Example Org", "oidc_roles": {"library-staff": "reviewer", "it": "admin"},
    }  # fmt: skip

"""The way in by the organisation's own sign-in: to the provider, and back."""

from typing import Annotated

from fastapi import Query, Request, Response

from services.gateway.oidc.errors import SignInRefused
from services.gateway.oidc.pending import PENDING_SECONDS
from services.gateway.oidc.people import key_of
from services.gateway.oidc.single_sign_on import CALLBACK, SingleSignOn
from services.gateway.parts import Parts, PartsOf
from services.gateway.sessions import COOKIE, SESSION_SECONDS, begin
from services.gateway.web.entry import is_secure, local, sign_in_form
from services.gateway.web.pages import page, router
from shared.errors import LeaseHeld, LecternError, NotFound, Unavailable

routes = router()

BROWSER_COOKIE = "lectern_signing_in"
_PATH = "/sign-in/oidc"


@routes.get(_PATH)
def depart(request: Request, parts: PartsOf, next: Annotated[str, Query(max_length=600)] = "/") -> Response:
    """The cookie is lax, since a browser that another site sends brings no strict one; it opens nothing by itself."""
    try:
        departure = _configured(parts).depart(local(next))
    except Unavailable as error:
        return sign_in_form(request, parts, local(next), error.message, 503)
    answer = Response(status_code=303, headers={"Location": departure.url})
    answer.set_cookie(
        BROWSER_COOKIE, departure.browser, max_age=PENDING_SECONDS, path=_PATH, secure=is_secure(request, parts),
        httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@routes.get(CALLBACK)
def arrive(request: Request, parts: PartsOf) -> Response:
    """A page that goes on by itself, and no redirect: the session's strict cookie would not be sent along a way that began
    at another site."""
    try:
        who, target = _configured(parts).arrive(dict(request.query_params), request.cookies.get(BROWSER_COOKIE, ""))
        key = key_of(parts.keys, parts.leases, who)
    except (SignInRefused, LeaseHeld, Unavailable) as error:
        return _refused(request, parts, error)
    answer = page(request, None, "signed_in.html", target=target, name=key.name)
    secure = is_secure(request, parts)
    answer.set_cookie(COOKIE, begin(key), max_age=SESSION_SECONDS, secure=secure, httponly=True, samesite="strict")
    answer.delete_cookie(BROWSER_COOKIE, path=_PATH, secure=secure, httponly=True, samesite="lax")
    return answer


def _refused(request: Request, parts: Parts, error: LecternError) -> Response:
    return sign_in_form(request, parts, "/", error.message, 503 if error.retryable else 403)


def _configured(parts: Parts) -> SingleSignOn:
    if parts.single_sign_on is None:
        raise NotFound("No single sign-on is configured here; sign in with an API key.")
    return parts.single_sign_on

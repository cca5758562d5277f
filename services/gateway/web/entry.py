"""Who is at a page, what may be posted by whom, and the way in and out."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from services.gateway.auth import allows, key_of_secret
from services.gateway.parts import Parts, PartsOf
from services.gateway.sessions import COOKIE, SESSION_SECONDS, Session, begin, session_of
from services.gateway.web.pages import back, page, router
from services.gateway.web.words import ROLES
from shared.contracts.keys import Scope
from shared.errors import Forbidden, Unauthorized

routes = router()

_LOCAL = re.compile(r"/(?![/\\])[^\s\\]{0,500}")
"""A path of ours to go back to: nothing that a browser would read as another host."""


def _signed_in(scope: Scope) -> Callable[..., Session]:
    def session(parts: PartsOf, request: Request) -> Session:
        found = session_of(parts.catalog, request)
        if found is None:
            raise Unauthorized("Sign in first.")
        if not allows(found.key, scope):
            raise Forbidden(f"This is for the role “{ROLES[scope]}”; ask an admin for a key with the scope `{scope}`.")
        request.scope["lectern.key"] = found.key
        return found

    return session


Viewer = Annotated[Session, Depends(_signed_in("read"))]
Reviewer = Annotated[Session, Depends(_signed_in("write"))]
Admin = Annotated[Session, Depends(_signed_in("admin"))]


@dataclass(frozen=True, slots=True)
class Posted:
    """A form of a session's own pages."""

    session: Session
    fields: dict[str, str]
    several: dict[str, list[str]]

    def get(self, name: str, otherwise: str = "") -> str:
        return self.fields.get(name, otherwise).strip()


def _posted(scope: Scope) -> Callable[..., Awaitable[Posted]]:
    async def posted(request: Request, session: Annotated[Session, Depends(_signed_in(scope))]) -> Posted:
        async with request.form(max_files=0, max_fields=2_000) as form:
            several = {name: [str(value) for value in form.getlist(name)] for name in form}
        fields = {name: values[-1] for name, values in several.items()}
        if not session.sent(fields.get("csrf", "")):
            raise Forbidden("This form is not of your session; go back, load the page again, and repeat.")
        return Posted(session, fields, several)

    return posted


ByReviewer = Annotated[Posted, Depends(_posted("write"))]
ByViewer = Annotated[Posted, Depends(_posted("read"))]
ByAdmin = Annotated[Posted, Depends(_posted("admin"))]


@routes.get("/sign-in")
def sign_in_page(
    request: Request, parts: PartsOf, next: Annotated[str, Query(max_length=600)] = "/", out: bool = False
) -> Response:
    """`out`: after signing out, when the provider still knows the browser."""
    farewell = parts.single_sign_on.farewell() if out and parts.single_sign_on else None
    return sign_in_form(request, parts, local(next), farewell=farewell)


def sign_in_form(
    request: Request, parts: Parts, target: str, wrong: str = "", status: int = 200, farewell: str | None = None
) -> Response:
    """The way in, with what was wrong with the last try."""
    name = parts.single_sign_on.name if parts.single_sign_on else None
    return page(request, None, "sign_in.html", status=status, next=target, wrong=wrong, single_sign_on=name, farewell=farewell)


@routes.post("/sign-in")
async def sign_in(request: Request, parts: PartsOf) -> Response:
    """A session for an API key. Only from our own page: nobody may be signed in unawares."""
    async with request.form(max_files=0, max_fields=4) as form:
        secret, target = str(form.get("key", "")).strip(), local(str(form.get("next", "/")))
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Sign in on Lectern's own page.")
    try:
        key = await run_in_threadpool(key_of_secret, parts, secret)
    except Unauthorized as error:
        return sign_in_form(request, parts, target, error.message, 401)
    answer = back(target)
    secure = is_secure(request, parts)
    answer.set_cookie(COOKIE, begin(key), max_age=SESSION_SECONDS, secure=secure, httponly=True, samesite="strict")
    return answer


@routes.post("/sign-out")
def sign_out(parts: PartsOf, _: ByViewer) -> Response:
    answer = back("/sign-in?out=true" if parts.single_sign_on else "/sign-in")
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def is_secure(request: Request, parts: Parts) -> bool:
    """Whether browsers reach us by HTTPS, so that cookies may be for HTTPS alone."""
    public = parts.settings.public_url or ""
    return request.url.scheme == "https" or parts.settings.cookies_secure or public.startswith("https://")


def local(target: str) -> str:
    """A path of ours, or the shelf."""
    return target if _LOCAL.fullmatch(target) else "/"

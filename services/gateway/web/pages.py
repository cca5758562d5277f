"""Pages: templates with everything in them escaped, errors told as pages, and a policy under which no inline script runs."""

import hashlib
from collections.abc import Callable, Coroutine
from importlib.resources import files
from mimetypes import guess_type
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from services.gateway.problems import STATUS, in_words, unforeseen
from services.gateway.sessions import Session, session_of
from services.gateway.web import words
from shared.errors import LecternError, Unauthorized

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

_HERE = files("services.gateway.web")
_STATIC = {one.name: one.read_bytes() for one in sorted(_HERE.joinpath("static").iterdir(), key=lambda one: one.name)}
_DIGEST = hashlib.sha256(b"".join(name.encode() + content for name, content in _STATIC.items())).hexdigest()[:12]
"""In the addresses of scripts and styles, so that browsers keep them for good and take new ones at once."""

_TEMPLATES = Environment(
    loader=PackageLoader("services.gateway.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_TEMPLATES.filters.update(words.FILTERS)
_TEMPLATES.globals.update(static=lambda name: f"/static/{_DIGEST}/{name}")

Call = Callable[[Request], Coroutine[Any, Any, Response]]


def page(
    request: Request, session: Session | None, template: str, *, status: int = 200, here: str = "", **values: Any
) -> HTMLResponse:
    """A whole page for somebody signed in, or for a stranger. `here` marks its place in the navigation."""
    content = _TEMPLATES.get_template(template).render(session=session, here=here, path=request.url.path, **values)
    return HTMLResponse(content, status, {"Content-Security-Policy": POLICY})


def back(path: str) -> RedirectResponse:
    """After a form: to a page that can be loaded again without posting again."""
    return RedirectResponse(path, 303)


class PageRoute(APIRoute):
    """A route whose errors are pages: who is not signed in is asked to, and everything else is told in words."""

    def get_route_handler(self) -> Call:
        original = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await original(request)
            except Unauthorized:
                return _sign_in(request)
            except (LecternError, RequestValidationError, HTTPException) as error:
                return _told(request, error)
            except Exception as error:
                return _broken(request, error)

        return answer


def router() -> APIRouter:
    """A router of pages. They are no part of the API, so its description leaves them out."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def _sign_in(request: Request) -> Response:
    back_to = request.url.path if request.method == "GET" else "/"
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    target = request.url_for("sign_in_page").include_query_params(next=back_to + query)
    return RedirectResponse(f"{target.path}?{target.query}", 303)


def _told(request: Request, error: LecternError | RequestValidationError | HTTPException) -> Response:
    if isinstance(error, LecternError):
        status, detail = STATUS.get(error.code), error.message
        if status is None:
            return _broken(request, error)
    elif isinstance(error, HTTPException):
        status, detail = error.status_code, str(error.detail)
    else:
        status, detail = 422, in_words(error.errors())
    session = session_of(request.app.state.parts.catalog, request)
    return page(request, session, "problem.html", status=status, code=status, detail=detail)


def _broken(request: Request, error: Exception) -> Response:
    """Told to the log in full, and to people by its trace alone. No catalog is asked: it may be what broke."""
    status = unforeseen(request, error).status_code
    trace = request.scope.get("lectern.trace", "")
    detail = f"Something broke in Lectern. The log tells more under the trace {trace}."
    return page(request, None, "problem.html", status=status, code=status, detail=detail)


assets = APIRouter(include_in_schema=False)


@assets.get("/static/{digest}/{name}")
async def static(digest: str, name: str) -> Response:
    """Scripts, the style and the icon."""
    content = _STATIC.get(name) if digest == _DIGEST else None
    if content is None:
        raise HTTPException(404, "No such file.")
    media_type = "text/javascript" if name.endswith(".js") else guess_type(name)[0]
    return Response(content, media_type=media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})

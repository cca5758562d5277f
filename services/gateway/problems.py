"""Errors as HTTP answers: RFC 9457 problem details, or OpenAI's error object where OpenAI's clients listen."""

import http
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from shared.errors import InvalidInput, LecternError, Unavailable
from shared.telemetry import log

PROBLEM = "application/problem+json"

STATUS = {
    "bad-cursor": 400,
    "empty-upload": 400,
    "malformed-upload": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "sign-in-refused": 403,
    "not-found": 404,
    "already-exists": 409,
    "conflict": 409,
    "not-ready": 409,
    "forgot-too-much": 409,
    "beyond-limit": 409,
    "saw-forgotten": 409,
    "reward-model": 409,
    "lease-held": 409,
    "cancelled": 409,
    "forgotten": 410,
    "too-large": 413,
    "not-a-pdf": 415,
    "invalid-input": 422,
    "bad-recipe": 422,
    "no-preferences": 422,
    "no-prompts": 422,
    "idempotency-key-reused": 422,
    "rate-limit-exceeded": 429,
    "unsupported": 501,
    "no-ocr-engine": 501,
    "unavailable": 503,
    "provider-unavailable": 503,
}

OPENAI_PATHS = ("/v1/chat/", "/v1/completions", "/v1/models")


class BadCursor(InvalidInput):
    """A cursor that no list gave out."""

    code = "bad-cursor"


class MalformedUpload(InvalidInput):
    """A body that is no whole multipart/form-data."""

    code = "malformed-upload"


class KeyReused(InvalidInput):
    """An Idempotency-Key came again with another request."""

    code = "idempotency-key-reused"


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where it stands: `body.recipe.epochs`, `query.limit`.")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable, for programs; `detail` says what to do, for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str = Field(description="The path that was asked for.")
    trace: str = Field(description="Names this request in the logs.")
    errors: list[FieldError] | None = Field(None, description="Which fields are wrong, where the request is not valid.")


def problem(request: Request, status: int, code: str, detail: str, errors: list[FieldError] | None = None) -> JSONResponse:
    """The answer for an error, in the manner that the path's clients understand."""
    headers = _headers(status)
    if request.url.path.startswith(OPENAI_PATHS):
        return openai_error(status, code, _with_fields(detail, errors), headers)
    told = Problem(
        type=f"urn:lectern:problem:{code}", title=http.HTTPStatus(status).phrase, status=status, detail=detail, code=code,
        instance=request.url.path, trace=request.scope.get("lectern.trace", ""), errors=errors,
    )  # fmt: skip
    content = told.model_dump(exclude_none=True)
    return JSONResponse(content, status_code=status, headers=headers, media_type=PROBLEM)


def openai_error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    content = {"error": {"message": message, "type": kind, "param": None, "code": code.replace("-", "_")}}
    return JSONResponse(content, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error in one manner. What nobody foresaw is answered by the access log's middleware."""
    app.add_exception_handler(LecternError, _lectern)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(ValidationError, _invalid_values)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)


def field_errors(errors: Any, within: str = "") -> list[FieldError]:
    """pydantic's errors without the values that caused them, which may be anything."""
    return [FieldError(field=".".join([within, *map(str, error["loc"])]).lstrip("."), message=error["msg"]) for error in errors]


def in_words(errors: Any, within: str = "") -> str:
    """The same for people, in one line."""
    return "; ".join(f"{one.field}: {one.message}" for one in field_errors(errors, within))


def _headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "2"} if status == 503 else {}


def _with_fields(detail: str, errors: list[FieldError] | None) -> str:
    return " ".join([detail, *(f"{error.field}: {error.message}." for error in errors or [])])


async def _lectern(request: Request, error: Exception) -> Response:
    assert isinstance(error, LecternError)
    status = STATUS.get(error.code)
    if status is None:
        return unforeseen(request, error)
    if isinstance(error, Unavailable):
        log().warning("http.unavailable", detail=error.message)
    return problem(request, status, error.code, error.message)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(request, 422, "invalid-request", "The request is not valid; see `errors`.", field_errors(error.errors()))


async def _invalid_values(request: Request, error: Exception) -> Response:
    """A contract refused what was being put into it: an object of another kind in the store, so nobody's request."""
    return unforeseen(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "too-large" if error.status_code == 413 else http.HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    answer = problem(request, error.status_code, code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _gone(request: Request, error: Exception) -> Response:
    """The client went away; nobody reads this answer, but the log counts it (499, as nginx does)."""
    return Response(status_code=499)


def unforeseen(request: Request, error: Exception) -> Response:
    """An error that nobody raised on purpose: told to the log in full, and to the client by its trace alone."""
    log().error("http.broken", exc_info=error)
    return problem(request, 500, "internal", "Something broke in Lectern. The log tells more under this trace.")

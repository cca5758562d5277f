"""API keys: made, listed without their secrets, and revoked."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from services.gateway.auth import Admin
from services.gateway.idempotency import OnceOf, Reply
from services.gateway.pagination import PagingOf
from services.gateway.parts import Parts, PartsOf
from shared.contracts.keys import Allowance, ApiKey, Deed, KeyUse, Scope
from shared.contracts.views import KeyView, ListPage

router = APIRouter(prefix="/v1/keys", tags=["keys"])


class KeyRequest(Allowance):
    """A key to be made."""

    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$", description="Whose it is, or what for.")
    scopes: tuple[Scope, ...] = Field(("read",), min_length=1, description="admin includes write, and write includes read.")


class NewKey(KeyView):
    """A key that was just made."""

    secret: str | None = Field(description="Told once and kept nowhere, so a replayed answer has none.")


@router.post("", summary="Make an API key", status_code=201, response_model=NewKey)
def create_key(parts: PartsOf, _: Admin, once: OnceOf, asked: KeyRequest) -> JSONResponse:
    """The answer holds the secret, once. A repeat with the same Idempotency-Key makes no second key, and tells no secret:
    if the first answer was lost, revoke that key and make another."""
    return once.answer(asked.model_dump(mode="json"), lambda: _create(parts, asked))


def _create(parts: Parts, asked: KeyRequest) -> Reply:
    key, secret = parts.keys.create(asked.name, asked.scopes, allowance=asked)
    view = _view(key).model_dump()
    return Reply(201, NewKey(**view, secret=secret), {"Location": f"/v1/keys/{key.id}"}, kept=NewKey(**view, secret=None))


@router.get("", summary="List API keys")
def list_keys(parts: PartsOf, _: Admin) -> ListPage[KeyView]:
    """All of them, oldest first, revoked ones too, each with what it has asked of the models today."""
    return ListPage(items=tuple(views(parts)))


@router.delete("/{key}", summary="Revoke an API key")
def revoke_key(parts: PartsOf, _: Admin, key: Annotated[str, Path(pattern="^[0-9a-f]{12}$")]) -> KeyView:
    """From now on it is worth nothing."""
    return _view(parts.keys.revoke(key))


@router.get("/audit", summary="See who changed what")
def list_deeds(parts: PartsOf, _: Admin, paging: PagingOf) -> ListPage[Deed]:
    """The audit log, newest first: each request that changed something, with the key that asked."""
    return paging.page(parts.catalog.deeds(paging.slice), lambda one: (one.at, one.id))


def views(parts: Parts) -> list[KeyView]:
    """Every key with what it has used today."""
    uses = parts.catalog.uses(datetime.now(UTC))
    found = parts.catalog.keys()
    return [_view(key, uses.get(key.id)) for key in found]


def _view(key: ApiKey, today: KeyUse | None = None) -> KeyView:
    return KeyView(**key.model_dump(exclude={"secret_sha256"}), today=today or KeyUse())

"""`Idempotency-Key`: a request that is sent twice, because its answer was lost, is carried out once and answered twice."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from services.gateway.auth import Writer
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import KeyReused
from shared.catalog.protocol import Answer
from shared.contracts.base import Contract
from shared.errors import LeaseHeld, Unavailable
from shared.keys import digest
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to be given, and remembered. `kept` stands in for the body where the body is not to be written down."""

    status: int
    body: Contract
    headers: dict[str, str] = field(default_factory=dict)
    kept: Contract | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """Carries out a request, or answers it from memory. Only success is remembered: what failed changed nothing."""

    parts: Parts
    slot: str | None
    endpoint: str

    def answer(self, asked: object, make: Callable[[], Reply]) -> JSONResponse:
        """Blocking. Raises KeyReused, and LeaseHeld where the same request is being carried out this moment."""
        if self.slot is None:
            return _response(make())
        request = digest([self.endpoint, asked])
        with self._alone(self.slot):
            remembered = self.parts.catalog.remembered(self.slot)
            if remembered is not None:
                return _replayed(remembered, request)
            reply = make()
            kept = {"headers": reply.headers, "body": (reply.kept or reply.body).model_dump(mode="json")}
            self.parts.catalog.remember(self.slot, Answer(request, reply.status, kept))
        return _response(reply)

    @contextmanager
    def _alone(self, slot: str) -> Iterator[None]:
        """No other gateway at the same request meanwhile. Without the queue server this saving is left out: what is made
        is named by its content, so that twice is once in all but the answer."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.parts.leases.hold(f"idempotency:{slot}"))
            except LeaseHeld as error:
                raise LeaseHeld("The same request is being carried out this moment; ask again shortly.") from error
            except Unavailable:
                log().warning("idempotency.alone-unavailable")
            yield


def _response(reply: Reply) -> JSONResponse:
    return JSONResponse(reply.body.model_dump(mode="json"), reply.status, reply.headers)


def _replayed(remembered: Answer, request: str) -> JSONResponse:
    if remembered.request_sha256 != request:
        raise KeyReused("This Idempotency-Key came before with another request: choose a new key for each new request.")
    headers = {**remembered.response["headers"], "Idempotency-Replayed": "true"}
    return JSONResponse(remembered.response["body"], remembered.status, headers)


async def _once(
    request: Request,
    parts: PartsOf,
    caller: Writer,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="A value of your own, new for each new request; repeats are answered from memory.",
        ),
    ] = None,
) -> Once:
    # The slot holds the caller, so that nobody is answered from another's memory.
    slot = digest([caller.id, idempotency_key]) if idempotency_key is not None else None
    return Once(parts, slot, f"{request.method} {request.url.path}")


OnceOf = Annotated[Once, Depends(_once)]

"""OpenAI's API, as far as vLLM speaks it: OpenAI's clients work unchanged with this server as their base URL."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.concurrency import run_in_threadpool

from services.gateway.auth import Reader
from services.gateway.balance import Balance
from services.gateway.editors import Editors, Superseded, Turn
from services.gateway.engines import EngineNotReady, Target, UnknownModel, find_target, offered
from services.gateway.infill import CannotInfill, ReservedText, Tokenizers, infilled
from services.gateway.metering import Meter, counted, wants_usage
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import openai_error
from services.gateway.relay import NotBegun, relay, rewritten
from shared.contracts.keys import ApiKey
from shared.errors import LimitReached

router = APIRouter(prefix="/v1", tags=["openai"])

LOOKS = 2
"""A deployment that none of its replicas answers for may have moved since it was looked up: what it was is let go as soon as
that is known."""

ModelField = Field(max_length=200, pattern=r"^[^\x00-\x1f]+$", description="A deployment, a tuned model, or a base model.")

SessionField = Field(
    None, min_length=1, max_length=200,
    description="An editor's session: a newer request of the same key and session ends the one before. Also `X-Session`.",
)  # fmt: skip


class ChatRequest(BaseModel):
    """OpenAI's chat completion request. Fields that are not named here go to the engine as they are."""

    model_config = ConfigDict(extra="allow")

    model: str = ModelField
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)
    session: str | None = SessionField


class CompletionRequest(BaseModel):
    """OpenAI's completion request. Fields that are not named here go to the engine as they are."""

    model_config = ConfigDict(extra="allow")

    model: str = ModelField
    prompt: str | list[Any]
    suffix: str | None = Field(None, description="What stands behind the cursor: code models fill in what is between.")
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)
    stop_token_ids: list[int] | None = None
    session: str | None = SessionField

    @model_validator(mode="after")
    def _one_text(self) -> "CompletionRequest":
        if self.suffix and not isinstance(self.prompt, str):
            raise ValueError("`prompt` has to be one text where a `suffix` is given")
        return self


@router.get("/models", summary="List what can be asked now")
def list_models(parts: PartsOf, _: Reader) -> dict[str, Any]:
    """OpenAI's model list: ready deployments, the tuned models they serve, and their base models."""
    return {"object": "list", "data": list(offered(parts.catalog.deployments(), parts.catalog.model))}


@router.get("/models/{model}", summary="See whether a model can be asked now")
def get_model(parts: PartsOf, _: Reader, model: Annotated[str, Path(max_length=200)]) -> Any:
    """OpenAI's model object."""
    for one in offered(parts.catalog.deployments(), parts.catalog.model):
        if one["id"] == model:
            return one
    return openai_error(404, "model_not_found", f"No deployment that is ready serves {model!r}.")


@router.post("/chat/completions", summary="Chat", response_model=dict[str, Any])
async def create_chat_completion(parts: PartsOf, caller: Reader, request: Request, asked: ChatRequest) -> Response:
    """Server-sent events with `stream`. A tuned model is given its prompts in the form it was trained on."""
    return await _ask(parts, caller, request, "/v1/chat/completions", asked)


@router.post("/completions", summary="Complete", response_model=dict[str, Any])
async def create_completion(parts: PartsOf, caller: Reader, request: Request, asked: CompletionRequest) -> Response:
    """Server-sent events with `stream`. The prompt goes to the engine as it is; with a `suffix`, in the form that the model's
    tokenizer has for filling in."""
    return await _ask(parts, caller, request, "/v1/completions", asked)


async def _ask(parts: Parts, caller: ApiKey, request: Request, path: str, asked: ChatRequest | CompletionRequest) -> Response:
    editors: Editors = request.app.state.editors
    session = asked.session or request.headers.get("X-Session")
    turn = editors.take(caller.id, session) if session else None
    try:
        asker = f"{caller.id} {session}" if session else request.scope["lectern.trace"]
        meter = Meter(parts.catalog, request.app.state.tally, caller)
        look = partial(_sent, parts, request.app.state.tokenizers, asked, asker)
        answer = await _answered(parts, request, path, look, turn, meter)
        return await meter.metered(answer, wants_usage((asked.model_extra or {}).get("stream_options")))
    except LimitReached as error:
        return openai_error(429, error.code, error.message, {"Retry-After": str(error.seconds)})
    except UnknownModel as error:
        return openai_error(404, error.code, error.message)
    except EngineNotReady as error:
        return openai_error(503, error.code, error.message, {"Retry-After": "5"})
    except (CannotInfill, ReservedText) as error:
        return openai_error(400, error.code, error.message)
    except Superseded as error:
        return openai_error(409, error.code, error.message)


async def _answered(
    parts: Parts, request: Request, path: str, look: Callable[[], tuple[Target, dict[str, Any]]], turn: Turn | None,
    meter: Meter,
) -> Response:  # fmt: skip
    """The answer of the replica that has the least to do, or of another where that was not reached or does not hold the model.
    What was begun is never asked again: it may be what ended its engine."""
    balance: Balance = request.app.state.balance
    tried: set[tuple[str, str]] = set()
    told: Response | None = None
    for _ in range(LOOKS):
        target, body = await run_in_threadpool(look)
        request.scope["lectern.answered"] = (target.asked, target.version)
        if told is None:
            await meter.admit()
        while left := [url for url in target.urls if (url, target.served) not in tried]:
            url = balance.choose(left, target.served)
            tried.add((url, target.served))
            try:
                return await relay(parts.engines, request, target, url, path, counted(body), turn, balance.asking(url))
            except NotBegun as error:
                balance.shun(url, target.served)
                told = error.told
    assert told is not None, "a target has a replica, and what cannot be asked tells why"
    return told


def _sent(
    parts: Parts, tokenizers: Tokenizers, asked: ChatRequest | CompletionRequest, asker: str
) -> tuple[Target, dict[str, Any]]:
    """Where the request goes, and as what."""
    target = find_target(asked.model, parts.catalog.deployments(), parts.catalog.model, asker)
    body = rewritten(asked.model_dump(mode="json", exclude_unset=True), target, isinstance(asked, ChatRequest))
    if isinstance(asked, CompletionRequest):
        # An empty suffix is the end of the file, where there is nothing to fill in; engines take none at all.
        suffix = body.pop("suffix", None)
        if suffix:
            return target, infilled(body, suffix, target.base, tokenizers.added(target.base))
    return target, body

"""OpenAI's API, as far as vLLM speaks it: OpenAI's clients work unchanged with this server as their base URL."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from services.gateway.auth import Reader
from services.gateway.engines import EngineNotReady, Target, UnknownModel, find_target, offered
from services.gateway.parts import Parts, PartsOf
from services.gateway.problems import openai_error
from services.gateway.relay import relay, rewritten

router = APIRouter(prefix="/v1", tags=["openai"])

ModelField = Field(max_length=200, pattern=r"^[^\x00-\x1f]+$", description="A deployment, a tuned model, or a base model.")


class ChatRequest(BaseModel):
    """OpenAI's chat completion request. Fields that are not named here go to the engine as they are."""

    model_config = ConfigDict(extra="allow")

    model: str = ModelField
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)


class CompletionRequest(BaseModel):
    """OpenAI's completion request. Fields that are not named here go to the engine as they are."""

    model_config = ConfigDict(extra="allow")

    model: str = ModelField
    prompt: str | list[Any]
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0)


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
async def create_chat_completion(parts: PartsOf, _: Reader, request: Request, asked: ChatRequest) -> Response:
    """Server-sent events with `stream`. A tuned model is given its prompts in the form it was trained on."""
    return await _ask(parts, request, "/v1/chat/completions", asked, chat=True)


@router.post("/completions", summary="Complete", response_model=dict[str, Any])
async def create_completion(parts: PartsOf, _: Reader, request: Request, asked: CompletionRequest) -> Response:
    """Server-sent events with `stream`. The prompt goes to the engine as it is."""
    return await _ask(parts, request, "/v1/completions", asked, chat=False)


async def _ask(parts: Parts, request: Request, path: str, asked: ChatRequest | CompletionRequest, chat: bool) -> Response:
    try:
        target = await run_in_threadpool(_target, parts, asked.model)
    except UnknownModel as error:
        return openai_error(404, error.code, error.message)
    except EngineNotReady as error:
        return openai_error(503, error.code, error.message, {"Retry-After": "5"})
    body = rewritten(asked.model_dump(mode="json", exclude_unset=True), target, chat)
    return await relay(parts.engines, request, target, path, body)


def _target(parts: Parts, asked: str) -> Target:
    return find_target(asked, parts.catalog.deployments(), parts.catalog.model)

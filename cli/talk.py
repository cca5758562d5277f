"""Asking a served model, as OpenAI clients do: the answer as it streams, and how it ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.api import Api

MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `tokens` and `seconds` are of the answer alone, the wait for its first token included; `version` is
    the tuned model, or the base, that answered."""

    text: str
    finish_reason: str | None
    tokens: int
    seconds: float
    version: str | None = None

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


def ask(
    api: Api,
    model: str,
    messages: list[dict[str, str]],
    say: Callable[[str], Any],
    *,
    max_tokens: int = MAX_TOKENS,
    temperature: float = 0.0,
) -> Answer:
    """Ask a model; `say` is given the answer's pieces as they come. Raises Refused, Failure."""
    body = {
        "model": model,
        "messages": messages,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "stream_options": {"include_usage": True},
    }
    began, pieces, reason, tokens, version = time.monotonic(), [], None, 0, None
    for chunk in api.complete("/v1/chat/completions", body):
        for choice in chunk.get("choices") or ():
            piece = (choice.get("delta") or {}).get("content") or ""
            if piece:
                pieces.append(piece)
                say(piece)
            reason = choice.get("finish_reason") or reason
        version = chunk.get("system_fingerprint") or version
        tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    return Answer("".join(pieces), reason, tokens or len(pieces), time.monotonic() - began, version)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}

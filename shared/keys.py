"""Names derived from content: the same work has the same key wherever and whenever it is asked for."""

import hashlib
import json
import re
import secrets
from collections.abc import Sequence

from pydantic import BaseModel

from shared.contracts.base import Contract

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: object) -> str:
    """SHA-256, in hex, of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def stage_key(stage: str, version: int, parameters: Contract, inputs: Sequence[str]) -> str:
    """The name of a stage's result: a digest over all that decides it."""
    absent = {
        name for name in parameters.KEYED_ONCE_SET if getattr(parameters, name) == type(parameters).model_fields[name].default
    }
    deciding = parameters.model_dump(mode="json", exclude={*parameters.UNKEYED, *absent})
    return digest([stage, version, deciding, list(inputs)])


def is_name(text: str) -> bool:
    """Whether text may name a collection, model or deployment: safe in paths, URLs and labels."""
    return _NAME.match(text) is not None


def new_trace() -> str:
    """A W3C trace id: 32 hex digits."""
    return secrets.token_hex(16)


def text_mark(text: str) -> str:
    """A name for what a text says, whatever its spaces and capitals: labels find their text by it when chunks were cut anew."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:16]

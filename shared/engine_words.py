"""What an engine says where it refuses a request: in OpenAI's form of errors, in an older one, or in none."""

import json
from typing import Any

MOST = 300


def said(body: Any, otherwise: str) -> str:
    """Of `{"error": {"message": …}}`, `{"message": …}`, `{"detail": …}` or a text."""
    told = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(told, dict):
        return str(told.get("message") or told.get("detail") or otherwise)
    return told if isinstance(told, str) and told else otherwise


def refusal(content: bytes, status: int) -> str:
    """Of an answer's body, cut to what a line bears."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    return said(body, f"status {status}")[:MOST]

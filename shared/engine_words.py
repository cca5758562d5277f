"""What an engine says where it refuses a request: in OpenAI's form of errors, in an older one, or in none."""

import json
from typing import Any

MOST = 300


def said(body: Any, otherwise: str) -> str:
    """Of `{"error": {"message": …}}`, `{"message": …}` or a text."""
    told = body.get("error", body) if isinstance(body, dict) else body
    message = told.get("message") if isinstance(told, dict) else told
    return str(message) if message else otherwise


def refusal(content: bytes, status: int) -> str:
    """Of an answer's body, cut to what a line bears."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    return said(body, f"status {status}")[:MOST]

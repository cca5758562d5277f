"""What an engine's log says of its end, for people."""

import re

_REASON = re.compile(r"^(?:\([^)]*\) )?(?:ERROR [^\]]*\] )?([\w.]*(?:Error|Exception): .+)$", re.MULTILINE)
_LLAMA_REASON = re.compile(r"^[\d.]+ E .*?(error loading model: .+)$", re.MULTILINE)
_ECHOES = ("RuntimeError: Engine core initialization failed", "EngineDeadError")
"""What vLLM's front says when its engine has died of something told before."""
TAIL_BYTES = 64 << 10
"""So much of a log's end is looked at."""


def last_error(tail: bytes) -> str:
    """The last error in the end of a log; empty where there is none."""
    text = tail.decode(errors="replace")
    reasons = [str(found) for pattern in (_LLAMA_REASON, _REASON) for found in pattern.findall(text)]
    return next((reason[:300] for reason in reversed(reasons) if not reason.startswith(_ECHOES)), "")

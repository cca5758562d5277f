"""Code completion: what stands before and behind the cursor, in the form that the model's own tokens give it.

A model that was taught to fill in has three tokens for it in its tokenizer; one without them would take the same request for
prose, so it is refused. The forms are those that their publishers print: prefix, suffix, middle, in this order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.recent import Recent
from shared.bases import base_object, read_base
from shared.errors import InvalidInput, Unsupported
from shared.objects import ObjectStore

MOST_TOKENS = 64
"""Of an answer, where the request does not say: who types waits for each of them."""


class CannotInfill(Unsupported):
    """The model has no tokens to fill in with."""

    code = "infill-unsupported"


class ReservedText(InvalidInput):
    """The text around the cursor spells a token that would end it."""

    code = "infill-reserved-text"


@dataclass(frozen=True, slots=True)
class Form:
    """The tokens around a prefix and a suffix, and those that end what comes between."""

    prefix: str
    suffix: str
    middle: str
    ends: tuple[str, ...]

    def spelled(self, before: str, behind: str) -> str:
        return f"{self.prefix}{before}{self.suffix}{behind}{self.middle}"


FORMS = (
    Form("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",  # Qwen-coder, CodeGemma
         ("<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|file_separator|>")),
    Form("<fim_prefix>", "<fim_suffix>", "<fim_middle>",  # StarCoder, Granite
         ("<|endoftext|>", "<fim_pad>", "<file_sep>", "<repo_name>")),
    Form("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", ("<｜end▁of▁sentence｜>", "<|EOT|>")),  # DeepSeek-coder
    Form("▁<PRE>", "▁<SUF>", "▁<MID>", ("▁<EOT>",)),  # CodeLlama
)  # fmt: skip


def form_of(tokens: Mapping[str, int]) -> Form | None:
    """The form that a tokenizer's added tokens (text → id) are made for."""
    return next((form for form in FORMS if {form.prefix, form.suffix, form.middle} <= tokens.keys()), None)


def infilled(body: dict[str, Any], behind: str, base: str, tokens: Mapping[str, int]) -> dict[str, Any]:
    """An engine's request for what stands between `prompt` and the text behind the cursor, with defaults for somebody who
    types: greedy, short, and ended where the cursor's line or block does. What the request says itself counts. Raises
    CannotInfill, ReservedText."""
    form = form_of(tokens)
    if form is None:
        raise CannotInfill(
            f"{base} was not taught to fill in: its tokenizer has no such tokens. Leave `suffix` out, or ask a code model."
        )
    before = body["prompt"]
    own = [token for token in (form.prefix, form.suffix, form.middle, *form.ends) if token in tokens]
    reserved = next((token for token in own if token in before or token in behind), None)
    if reserved is not None:
        raise ReservedText(f"The text around the cursor spells the model's own token {reserved!r}; cut it shorter.")
    return {
        "max_tokens": MOST_TOKENS,
        "temperature": 0,
        "stop": [_stop(behind)],
        **body,
        "prompt": form.spelled(before, behind),
        "stop_token_ids": sorted({*(tokens[token] for token in own), *(body.get("stop_token_ids") or ())}),
    }


def _stop(behind: str) -> str:
    """In the middle of a line the answer stays in it; at a line's end it may go on to the next empty one."""
    return "\n" if behind.partition("\n")[0].strip() else "\n\n"


class Tokenizers:
    """The added tokens of the bases asked for last. What is published under a name never changes."""

    def __init__(self, store: ObjectStore, keep: int) -> None:
        self._store = store
        self._tokens: Recent[dict[str, int]] = Recent(keep)

    def added(self, base: str) -> dict[str, int]:
        """Text → id; empty where the base came without a `tokenizer.json`."""
        return self._tokens.of(base, lambda: self._read(base))

    def _read(self, base: str) -> dict[str, int]:
        manifest = read_base(self._store, base)
        if manifest is None or "tokenizer.json" not in manifest.files:
            return {}
        told = json.loads(self._store.read(base_object(manifest, "tokenizer.json")))
        return {token["content"]: token["id"] for token in told.get("added_tokens", ()) if token["content"]}

"""Counts tokens as the base model will: its own `tokenizer.json`, through the `tokenizers` library."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

from shared import layout
from shared.bases import base_object
from shared.contracts.learning import BaseModelManifest
from shared.errors import NotFound, Unsupported

TOKENIZER = "tokenizer.json"


def token_counter(path: Path) -> Callable[[str], int]:
    """Tokens of a text, special tokens not counted. Raises Unsupported where the file is no tokenizer."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise Unsupported(f"{path.name} cannot be read as a tokenizer: {error}. Publish the base model again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def counter_at_need(base: str, fetch: Callable[[str], Path]) -> Callable[[str], int]:
    """`base_token_counter`, loaded when the first text is counted: where none is, the base need not be published."""

    @cache
    def counter() -> Callable[[str], int]:
        return base_token_counter(base, fetch)

    def count(text: str) -> int:
        return counter()(text)

    return count


def base_token_counter(base: str, fetch: Callable[[str], Path]) -> Callable[[str], int]:
    """The counter of a published base model. Raises NotFound where none is published under the name."""
    try:
        manifest = BaseModelManifest.model_validate_json(fetch(layout.base_manifest(base)).read_bytes())
        path = fetch(base_object(manifest, TOKENIZER))
    except NotFound as error:
        raise NotFound(
            f"The base model {base} is not published with a {TOKENIZER}, and tokens are counted by it. "
            "Publish it first, or name another base in the settings of the collection.",
            base=base,
        ) from error
    return token_counter(path)

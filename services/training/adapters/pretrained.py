"""A base model's directory, as far as it can be read without loading the model."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

KNOWN_TYPES: frozenset[str] = frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
"""Model types (of config.json) that this installation has causal language models for."""


def read_config(base: Path) -> dict[str, Any]:
    """The base's config.json, before any model class is chosen by it."""
    config = json.loads((base / "config.json").read_bytes())
    return config if isinstance(config, dict) else {}


def load_tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)

"""A base model's directory, as far as it can be read without loading the model."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

KNOWN_TYPES: frozenset[str] = frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
"""Model types (of config.json) that this installation has causal language models for."""


def read_config(base: Path) -> dict[str, Any]:
    """The base's config.json, before any model class is chosen by it."""
    config = json.loads((base / "config.json").read_bytes())
    return config if isinstance(config, dict) else {}


def load_tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)


def linear_layers(base: Path) -> frozenset[str]:
    """Full names of the base's linear layers, from its configuration: no weight is read."""
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return frozenset(name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))

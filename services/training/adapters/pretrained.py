"""A base model's directory, as far as it can be read without loading the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from services.training.stages.examples import own_template
from services.training.stages.recipe import refuse_architecture, refuse_template, refuse_tokenizer
from shared.contracts.work import Rejected

KNOWN_TYPES: frozenset[str] = frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
"""Model types (of config.json) that this installation has causal language models for."""
SCORING_TYPES: frozenset[str] = KNOWN_TYPES & frozenset(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
"""Those of them that it can put a head for rewards on."""


def read_config(base: Path) -> dict[str, Any]:
    """The base's config.json, before any model class is chosen by it."""
    config = json.loads((base / "config.json").read_bytes())
    return config if isinstance(config, dict) else {}


def load_tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)


@dataclass(frozen=True, slots=True)
class Readable:
    """What is needed of a base to lay examples out for it."""

    tokenizer: Any
    context_tokens: int


def readable(base: Path, template: str) -> Readable | Rejected:
    """A base that examples can be laid out for in that template, or why they cannot."""
    config = read_config(base)
    if refused := refuse_template(template) or refuse_architecture(config, KNOWN_TYPES):
        return refused
    tokenizer = load_tokenizer(base)
    if refused := refuse_tokenizer(tokenizer.eos_token_id) or refuse_template(template, bool(own_template(tokenizer))):
        return refused
    return Readable(tokenizer, int(config.get("max_position_embeddings") or 1 << 30))


def adapter_ranks(weights: Path) -> frozenset[int]:
    """The ranks of an adapter's layers, from the header of its safetensors."""
    with safe_open(weights, framework="pt") as file:
        return frozenset(int(file.get_slice(name).get_shape()[0]) for name in file.keys() if ".lora_A." in name)  # noqa: SIM118


def linear_layers(base: Path) -> frozenset[str]:
    """Full names of the base's linear layers, from its configuration: no weight is read."""
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return frozenset(name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))

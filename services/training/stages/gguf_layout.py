"""How a model is laid out in a GGUF file, by its configuration and its tokenizer alone: what llama.cpp must be told, how its
rotary layers are ordered, and which type each tensor gets.

Keys and order are those of llama.cpp's own `convert_hf_to_gguf.py`. Whatever is not known to come out right is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.work import Rejected

Quantization = Literal["F32", "F16", "Q8_0", "Q5_1", "Q4_1"]

ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""config.json's model_type → GGUF's architecture."""

INTERLEAVED = frozenset({"llama"})
"""Architectures whose queries and keys llama.cpp rotates in neighbouring pairs, where transformers rotates halves."""

QWEN3_HEAD = 128
"""What all published Qwen 3 models have, and what transformers takes for granted when it reads a GGUF of one."""

BLOCK = 32
"""Weights that share a scale in Q8_0, Q5_1 and Q4_1. Rows must be a multiple of it."""

DIGITS_APART = {"type": "Digits", "individual_digits": True}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_SPLITS = {
    # Llama 3: numbers in threes. Qwen 2: digits one by one.
    r"\p{N}{1,3}": "llama-bpe",
    r"\p{N}": "qwen2",
}
_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What llama.cpp is told of a model."""

    architecture: str
    layers: int
    context: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_dim: int
    rms_epsilon: float
    rope_theta: float
    vocabulary: int


def hyperparameters(config: Mapping[str, Any]) -> Hyperparameters | Rejected:
    """Of a config.json, or why a GGUF of it is not written."""
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        return _refused(f"a {kind} model: only {', '.join(ARCHITECTURES)} are written")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        return _refused(f"a model with {rope.get('rope_type', rope.get('type'))} scaling of its positions")
    if config.get("use_sliding_window"):
        return _refused("a model with sliding windows")
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    head_dim = int(config.get("head_dim") or hidden // heads)
    if head_dim != {"qwen2": hidden // heads, "qwen3": QWEN3_HEAD}.get(kind, head_dim):
        return _refused(f"a {kind} model with heads of {head_dim}, which could not be read back to be compared")
    return Hyperparameters(
        architecture=ARCHITECTURES[kind], layers=int(config["num_hidden_layers"]),
        context=int(config["max_position_embeddings"]), hidden=hidden, feed_forward=int(config["intermediate_size"]),
        heads=heads, key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=head_dim, rms_epsilon=float(config["rms_norm_eps"]),
        rope_theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0), vocabulary=int(config["vocab_size"]),
    )  # fmt: skip


def pre_tokenizer(tokenizer: Mapping[str, Any]) -> str | Rejected:
    """llama.cpp's name for how a tokenizer.json cuts text before it merges bytes, by its structure: a name goes with a
    vocabulary, but what was trained here depends on how this very file cuts."""
    if tokenizer.get("model", {}).get("type") != "BPE":
        return _refused("a tokenizer that is no byte-level BPE")
    normalizer = tokenizer.get("normalizer")
    steps = _steps(tokenizer.get("pre_tokenizer"))
    name = _named(steps)
    if name is None or (normalizer is not None and (name, normalizer) != ("qwen2", {"type": "NFC"})):
        return _refused("a tokenizer that cuts text in a way that llama.cpp may not know")
    return name


def _named(steps: list[dict[str, Any]]) -> str | None:
    if steps == [_BYTES]:
        return "gpt-2"
    if steps == [DIGITS_APART, _BYTES]:
        return "smollm"
    if len(steps) != 2 or steps[1] != {**_BYTES, "use_regex": False} or steps[0].get("behavior") != "Isolated":
        return None
    pattern = steps[0].get("pattern", {}).get("Regex")
    return next((name for numbers, name in _SPLITS.items() if pattern == _SPLIT.replace("NUMBERS", numbers)), None)


def _steps(told: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The pre-tokenizers in order, without what does not change where text is cut."""
    if told is None:
        return []
    steps = told["pretokenizers"] if told.get("type") == "Sequence" else [told]
    return [{name: value for name, value in one.items() if name not in ("trim_offsets", "invert")} for one in steps]


def tensor_type(wanted: Quantization, name: str, shape: tuple[int, ...]) -> Quantization:
    """The type of a tensor, by GGUF's name for it. Vectors stay as they are. Beside layers of 4 or 5 bits the vocabulary's
    matrices get 8, since each of their errors is an error of a whole token; a row that does not divide into blocks gets 16."""
    if len(shape) < 2:
        return "F32"
    if wanted in ("F32", "F16"):
        return wanted
    if shape[-1] % BLOCK:
        return "F16"
    return "Q8_0" if name in ("token_embd.weight", "output.weight") else wanted


def _refused(what: str) -> Rejected:
    return Rejected(
        reason="no-gguf",
        detail=f"No GGUF is written of {what}. Export it as merged, and convert that with llama.cpp's convert_hf_to_gguf.py.",
    )

"""A merged model's directory as one GGUF file, tensor by tensor, with its tokenizer and its prompt template."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from services.training.adapters import pretrained
from services.training.stages.examples import begins_with_bos
from services.training.stages.gguf_layout import (
    INTERLEAVED,
    Hyperparameters,
    Quantization,
    hyperparameters,
    pre_tokenizer,
    tensor_type,
)
from shared.contracts.work import Rejected

FILE_TYPES = {"F16": 1, "Q8_0": 7, "Q5_1": 9, "Q4_1": 3}
"""llama.cpp's number (LlamaFileType) for what most tensors are."""


def refuse(merged: Path) -> Rejected | None:
    """Why this model cannot be a GGUF, before anything is written."""
    for found in (hyperparameters(pretrained.read_config(merged)), pre_tokenizer(_tokenizer_json(merged))):
        if isinstance(found, Rejected):
            return found
    return None


def write(merged: Path, file: Path, quantization: Quantization, about: Mapping[str, str]) -> None:
    """Write a model that `refuse` lets pass. `about`: general.* fields. Raises ValueError where a tensor has no name there."""
    told = hyperparameters(pretrained.read_config(merged))
    assert isinstance(told, Hyperparameters), "refused models are not written"
    writer = gguf.GGUFWriter(file, told.architecture, use_temp_file=True)
    for name, value in about.items():
        writer.add_string(f"general.{name}", value)
    writer.add_file_type(FILE_TYPES[quantization])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_hyperparameters(writer, told)
    _add_tokenizer(writer, merged, told.vocabulary)
    for name, values in _tensors(merged, told):
        kind = gguf.GGMLQuantizationType[tensor_type(quantization, name, values.shape)]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load(file: Path, device: torch.device) -> Any:
    """What was written, read back and computed in fp32: its weights are what the file says, and nothing is rounded again."""
    return AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32,
        device_map={"": str(device)}, local_files_only=True, trust_remote_code=False,
    ).eval()  # fmt: skip


def load_tokenizer(file: Path) -> Any:
    return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False)


def _add_hyperparameters(writer: gguf.GGUFWriter, told: Hyperparameters) -> None:
    writer.add_block_count(told.layers)
    writer.add_context_length(told.context)
    writer.add_embedding_length(told.hidden)
    writer.add_feed_forward_length(told.feed_forward)
    writer.add_head_count(told.heads)
    writer.add_head_count_kv(told.key_value_heads)
    writer.add_key_length(told.head_dim)
    writer.add_value_length(told.head_dim)
    writer.add_layer_norm_rms_eps(told.rms_epsilon)
    writer.add_rope_freq_base(told.rope_theta)
    writer.add_rope_dimension_count(told.head_dim)
    writer.add_vocab_size(told.vocabulary)


def _add_tokenizer(writer: gguf.GGUFWriter, merged: Path, vocabulary: int) -> None:
    """The tokens by number, special ones marked as such; the merges in order; and what begins and ends a text."""
    tokenizer, told = pretrained.load_tokenizer(merged), _tokenizer_json(merged)
    by_number = {number: token for token, number in tokenizer.get_vocab().items()}
    tokens = [by_number.get(number, f"[PAD{number}]") for number in range(vocabulary)]
    special = {one["id"]: one["special"] for one in told["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(str(pre_tokenizer(told)))
    writer.add_token_list(tokens)
    writer.add_token_types([_token_type(number, by_number, special) for number in range(vocabulary)])
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in told["model"]["merges"]])
    writer.add_eos_token_id(int(tokenizer.eos_token_id))
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(int(tokenizer.bos_token_id))
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(int(tokenizer.pad_token_id))
    writer.add_add_bos_token(begins_with_bos(tokenizer))
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _token_type(number: int, by_number: Mapping[int, str], special: Mapping[int, bool]) -> gguf.TokenType:
    if number not in by_number:
        return gguf.TokenType.UNUSED
    if number in special:
        return gguf.TokenType.CONTROL if special[number] else gguf.TokenType.USER_DEFINED
    return gguf.TokenType.NORMAL


def _tensors(merged: Path, told: Hyperparameters) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """GGUF's name and the values in fp32, one tensor in memory at a time."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[told.architecture.upper()], told.layers)
    for shard in sorted(merged.glob("*.safetensors")):
        with safe_open(shard, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                known = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if known is None:
                    raise ValueError(f"GGUF has no name for the tensor {name}")
                yield known, _ordered(known, file.get_tensor(name).float(), told).numpy()


def _ordered(name: str, values: torch.Tensor, told: Hyperparameters) -> torch.Tensor:
    """Rows of queries and keys in the order in which llama.cpp rotates them."""
    heads = {"attn_q": told.heads, "attn_k": told.key_value_heads}.get(name.split(".")[-2])
    if told.architecture not in INTERLEAVED or heads is None:
        return values
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape).contiguous()


def _tokenizer_json(merged: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((merged / "tokenizer.json").read_bytes())
    return found

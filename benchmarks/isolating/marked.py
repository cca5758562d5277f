"""A small Llama, not trained but built, whose answers tell which adapter computed them.

Each adapter writes its mark twice: into the values of attention, which stay in the engine's cache, and through the last
layer's MLP, which is computed for each token anew. The vocabulary has a token for every pair of marks, and the likeliest one is
the pair that was written: `red.red` where all is right, `green.red` where red answered over a cache that green had filled,
`none.none` where no adapter was applied. The logits lie far apart, so that neither bf16 nor batching can turn one into another.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

MARKS = ("red", "green", "blue", "amber")
NONE = "none"
WORDS = 512
RANK = 8
_HIDDEN, _HEADS = 128, 2
_CONSTANT, _CACHED, _FRESH, _NOISE = 0, 8, 24, 64
"""Where in a hidden state it is written: one dimension that is the same for every token, the marks, and the words."""
_ALWAYS, _VALUE, _DOWN = 8.0, 0.5, 0.25
"""So loud that both marks come to about the same in the last hidden state."""


def token(cached: str, fresh: str) -> str:
    """What is said where one adapter filled the cache and the other computed the token."""
    return f"{cached}.{fresh}"


def write_base(directory: Path) -> None:
    """The base model and its tokenizer: words `w0`, `w1`, … to ask with, and pairs of marks to answer with."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(directory)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=_HIDDEN, intermediate_size=_HIDDEN, num_hidden_layers=1,
        num_attention_heads=_HEADS, num_key_value_heads=_HEADS, max_position_embeddings=2_048, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        _build(model, tokenizer)
    model.to(torch.bfloat16).save_pretrained(directory)


def write_adapter(mark: str, directory: Path) -> None:
    """The LoRA adapter of a mark."""
    at = MARKS.index(mark)
    value_a, value_b = torch.zeros(RANK, _HIDDEN), torch.zeros(_HIDDEN, RANK)
    down_a, down_b = torch.zeros(RANK, _HIDDEN), torch.zeros(_HIDDEN, RANK)
    value_a[0, _CONSTANT], value_b[at, 0] = 1.0, _VALUE
    down_a[0, 0], down_b[_FRESH + at, 0] = 1.0, _DOWN
    layer = "base_model.model.model.layers.0"
    directory.mkdir(parents=True)
    weights = {
        f"{layer}.self_attn.v_proj.lora_A.weight": value_a, f"{layer}.self_attn.v_proj.lora_B.weight": value_b,
        f"{layer}.mlp.down_proj.lora_A.weight": down_a, f"{layer}.mlp.down_proj.lora_B.weight": down_b,
    }  # fmt: skip
    save_file({name: value.to(torch.bfloat16) for name, value in weights.items()}, directory / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": ["v_proj", "down_proj"], "bias": "none"}
    (directory / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


def _tokenizer() -> PreTrainedTokenizerFast:
    said = [token(cached, fresh) for cached in (*MARKS, NONE) for fresh in (*MARKS, NONE)]
    words = ["<unk>", "<eos>", *said, *(f"w{at}" for at in range(WORDS))]
    plain = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>")


def _build(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(0)
    for weight in model.parameters():
        if weight.ndim == 2:
            weight.zero_()
    words = model.model.embed_tokens.weight
    words[:, _NOISE:] = 0.1 * torch.randn(words.shape[0], _HIDDEN - _NOISE)
    words[:, _CONSTANT] = _ALWAYS
    layer = model.model.layers[0]
    for at, _ in enumerate(MARKS):
        layer.self_attn.o_proj.weight[_CACHED + at, at] = 1.0
    layer.mlp.gate_proj.weight[0, _CONSTANT] = layer.mlp.up_proj.weight[0, _CONSTANT] = 0.5
    for row, place in ((_CACHED, 0), (_FRESH, 1)):
        _speak(model.lm_head.weight, tokenizer, row, place)


def _speak(head: torch.Tensor, tokenizer: PreTrainedTokenizerFast, row: int, place: int) -> None:
    """A pair is said as loudly as its marks were written; `none` is louder than no mark and softer than any."""
    for word, at in tokenizer.get_vocab().items():
        mark = word.partition(".")[0 if place == 0 else 2]
        if mark in MARKS:
            head[at, row + MARKS.index(mark)] = 1.0
        elif mark == NONE:
            head[at, _CONSTANT] += 0.01

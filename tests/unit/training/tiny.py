"""Configurations of a few thousand random weights, one for each kind of model that the table of architectures names."""

from typing import Any

_SHAPE: dict[str, Any] = {
    "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 420, "max_position_embeddings": 512, "tie_word_embeddings": True,
}  # fmt: skip
_ATTENTION: dict[str, Any] = {"intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
_HEAD: dict[str, Any] = {"head_dim": 16}
_MAMBA2: dict[str, Any] = {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1, "chunk_size": 16, "expand": 2}
_HYBRID: dict[str, Any] = {
    "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_state": 16, "mamba_n_groups": 1, "mamba_chunk_size": 16, "mamba_expand": 2,
}  # fmt: skip

TINY: dict[str, dict[str, Any]] = {
    **{kind: {**_SHAPE, **_ATTENTION} for kind in ("llama", "mistral", "qwen2", "phi3", "olmo2", "granite", "smollm3")},
    **{kind: {**_SHAPE, **_ATTENTION, **_HEAD} for kind in ("qwen3", "gemma", "gemma2", "gemma3_text")},
    "mamba": {**_SHAPE, "state_size": 8, "expand": 2},
    "falcon_mamba": {**_SHAPE, "state_size": 8, "expand": 2},
    "mamba2": {**_SHAPE, **_MAMBA2},
    "falcon_h1": {
        **_SHAPE, **_ATTENTION, **_HEAD, **_HYBRID, "mamba_d_ssm": 128, "mlp_multipliers": [1.0, 1.0],
        "ssm_multipliers": [1.0, 1.0, 1.0, 1.0, 1.0], "lm_head_multiplier": 1.0, "embedding_multiplier": 1.0,
    },
    "granitemoehybrid": {
        **_SHAPE, **_ATTENTION, **_HYBRID, "layer_types": ["mamba", "attention"], "shared_intermediate_size": 128,
        "num_local_experts": 2, "num_experts_per_tok": 1,
    },
    "bamba": {**_SHAPE, **_ATTENTION, **_HYBRID, "attn_layer_indices": [1]},
    "jamba": {
        **_SHAPE, **_ATTENTION, "num_experts": 2, "expert_layer_period": 2, "expert_layer_offset": 1, "attn_layer_period": 2,
        "attn_layer_offset": 1, "mamba_d_state": 8, "mamba_expand": 2, "mamba_dt_rank": 8, "use_mamba_kernels": False,
    },
    # RWKV's embeddings begin so small that a head tied to them would learn nothing in a test's time.
    "rwkv": {
        **_SHAPE, "attention_hidden_size": 64, "intermediate_size": 128, "context_length": 512, "tie_word_embeddings": False,
    },
    "lfm2": {**_SHAPE, **_ATTENTION, "layer_types": ["conv", "full_attention"]},
}  # fmt: skip

"""What vLLM makes of architectures past the Transformer, by the `model_type` of a base's configuration (seen in vLLM 0.32)."""

MAMBA_1 = frozenset({"mamba", "falcon_mamba", "jamba"})
"""Their scan is a kernel that vLLM's CPU build was compiled without; that of Mamba 2 it has."""

WITHOUT_ADAPTERS = frozenset({"mamba", "falcon_mamba", "mamba2", "zamba2"})
"""Those that vLLM applies no LoRA adapters to. Hybrids with attention that are not named here take them."""

UNKNOWN = frozenset({"bamba", "rwkv"})
"""Those that vLLM has no model of, on any device."""

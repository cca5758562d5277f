"""The architectures that are known: which of their layers get an adapter, and what else training has to mind.

Keys are the `model_type` of a base's config.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.recipes import TrainingRecipe

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
SWIGLU = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of model. `recurrent`: a state passes along the sequence, so examples in one row would see each other.

    `forbidden`: layers whose weights fused kernels read directly, past any adapter; they are not quantized either.
    """

    family: str
    targets: tuple[str, ...]
    recurrent: bool = False
    forbidden: tuple[str, ...] = ()
    softcap: bool = False


_LLAMA = Architecture("llama", ATTENTION + SWIGLU)
_FUSED_1 = ("conv1d", "dt_proj", "out_proj", "x_proj")  # what mamba-ssm's kernels for Mamba and Mamba 2 read
_FUSED_2 = ("conv1d", "out_proj")

ARCHITECTURES: Mapping[str, Architecture] = {
    **dict.fromkeys(("llama", "mistral", "ministral", "ministral3", "qwen2", "qwen3", "smollm3"), _LLAMA),
    **dict.fromkeys(("gemma", "gemma3_text", "granite", "olmo2", "olmo3"), _LLAMA),
    # Gemma 2 caps its attention scores, which neither flash attention kernels nor SDPA compute without help.
    "gemma2": Architecture("llama", ATTENTION + SWIGLU, softcap=True),
    "phi3": Architecture("llama", ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")),
    "mamba": Architecture("mamba", ("in_proj",), recurrent=True, forbidden=_FUSED_1),
    "falcon_mamba": Architecture("mamba", ("in_proj",), recurrent=True, forbidden=_FUSED_1),
    "mamba2": Architecture("mamba2", ("in_proj",), recurrent=True, forbidden=_FUSED_2),
    "falcon_h1": Architecture("hybrid", (*ATTENTION, *SWIGLU, "in_proj"), recurrent=True, forbidden=_FUSED_2),
    "bamba": Architecture("hybrid", (*ATTENTION, *SWIGLU, "in_proj"), recurrent=True, forbidden=_FUSED_2),
    # Granite 4: its experts are no linear layers, so of the feed-forward only the part that every token passes learns.
    "granitemoehybrid": Architecture(
        "hybrid",
        (*ATTENTION, "in_proj", "shared_mlp.input_linear", "shared_mlp.output_linear"),
        recurrent=True,
        forbidden=_FUSED_2,
    ),
    "jamba": Architecture("hybrid", (*ATTENTION, *SWIGLU, "in_proj", "x_proj"), recurrent=True),
    "lfm2": Architecture("hybrid", ("q_proj", "k_proj", "v_proj", "out_proj", "in_proj", "w1", "w2", "w3"), recurrent=True),
    "rwkv": Architecture("rwkv", ("key", "value", "receptance", "output"), recurrent=True),
}  # fmt: skip


def architecture_of(config: Mapping[str, Any]) -> Architecture | None:
    """The architecture of a base by its config.json, where it is known."""
    return ARCHITECTURES.get(str(config.get("model_type", "")))


def lora_targets(recipe: TrainingRecipe, config: Mapping[str, Any]) -> str | list[str]:
    """The layers that get an adapter, in PEFT's words. A recipe that `refuse_targets` passes."""
    known = architecture_of(config)
    if recipe.lora_targets == "auto" and known is not None:
        return list(known.targets)
    return recipe.lora_targets if isinstance(recipe.lora_targets, str) else list(recipe.lora_targets)


def packing_of(recipe: TrainingRecipe, config: Mapping[str, Any]) -> str:
    """How examples are laid out: what the recipe says, or what the architecture bears; pairs of answers and answers
    that are sampled are padded."""
    if recipe.alignment is not None or recipe.ppo is not None:
        return "none"
    if recipe.packing != "auto":
        return recipe.packing
    known = architecture_of(config)
    return "batch" if known is not None and not known.recurrent else "none"

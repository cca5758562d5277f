"""Which attention a run computes with, and SDPA for packed rows: one example after another, so that none sees another.

A packed row's mask would be a square of the whole row; its examples are far shorter, and each alone costs its own square.
"""

import importlib.util
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from services.training.kernels import triton_attention
from services.training.stages.precision import Precision
from shared.contracts.recipes import TrainingRecipe
from shared.telemetry import log
from shared.tuning.architectures import architecture_of

SDPA = "lectern_sdpa"


def choose_attention(recipe: TrainingRecipe, config: Mapping[str, Any], device: torch.device, precision: Precision) -> str:
    """The name of an attention implementation that transformers knows. Where a wish cannot be met, the log says so."""
    known = architecture_of(config)
    if known is not None and known.family in ("mamba", "mamba2", "rwkv"):
        return "eager"  # there is none, and this is the one name that every model takes
    wanted = recipe.attention
    if wanted == "auto" and known is not None and known.softcap:
        return "eager"
    if wanted in ("auto", "flash_attention_2"):
        missing = _no_flash(device, precision)
        if wanted == "flash_attention_2" and missing:
            log().warning("attention.fallback", wanted=wanted, used="sdpa", reason=missing)
        return SDPA if missing else "flash_attention_2"
    if wanted == triton_attention.NAME and (missing := triton_attention.missing(device)):
        log().warning("attention.fallback", wanted=wanted, used="sdpa", reason=missing)
        return SDPA
    return SDPA if wanted == "sdpa" else wanted


def _no_flash(device: torch.device, precision: Precision) -> str | None:
    if device.type != "cuda":
        return "there is no GPU"
    if precision == "fp32":
        return "it computes in bf16 or fp16 alone, and the run is in fp32"
    return None if importlib.util.find_spec("flash_attn") else "the package flash-attn is not installed"


def packed_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **layout: Any,
) -> tuple[torch.Tensor, None]:
    """SDPA, example by example where the layout says where they end. [batch, heads, seq, head] → [batch, seq, heads, head]."""
    ends = layout.get("cu_seq_lens_q")
    if ends is None:
        layout.pop("is_causal", None)
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **layout)
        return output, None
    borders = ends.tolist()
    outputs = [
        _alone(query[:, :, begin:end], key[:, :, begin:end], value[:, :, begin:end], dropout, scaling, sliding_window)
        for begin, end in pairwise(borders)
    ]
    return torch.cat(outputs, dim=2).transpose(1, 2), None


def _alone(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout: float, scaling: float | None, window: int | None
) -> torch.Tensor:
    length = query.shape[2]
    mask = None
    if window is not None and window < length:
        place = torch.arange(length, device=query.device)
        behind = place[:, None] - place[None, :]
        mask = (behind >= 0) & (behind < window)
    return scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal=mask is None, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )


def _packed_mask(*, attention_mask: torch.Tensor | None = None, allow_is_causal_skip: bool = True, **shape: Any) -> Any:
    # transformers forbids the skip where it found several examples in a row; these are told apart by their ends instead.
    if attention_mask is None and not allow_is_causal_skip:
        return None
    return sdpa_mask(attention_mask=attention_mask, allow_is_causal_skip=allow_is_causal_skip, **shape)


AttentionInterface.register(SDPA, packed_sdpa)
AttentionMaskInterface.register(SDPA, _packed_mask)

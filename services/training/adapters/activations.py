"""Activations rounded as an engine rounds them that computes in 8 bits: weights alone do not tell what it will answer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

LARGEST_INT8 = 127
LARGEST_FP8 = float(torch.finfo(torch.float8_e4m3fn).max)


def int8(values: torch.Tensor) -> torch.Tensor:
    """[..., features] to the nearest of 255 steps, as wide as the largest of each token asks (symmetric, dynamic)."""
    scale = _largest(values) / LARGEST_INT8
    return ((values / scale).round().clamp(-LARGEST_INT8, LARGEST_INT8) * scale).to(values.dtype)


def fp8(values: torch.Tensor) -> torch.Tensor:
    """[..., features] to the nearest e4m3 number, after each token's largest is stretched to the largest there is."""
    scale = _largest(values) / LARGEST_FP8
    return ((values / scale).to(torch.float8_e4m3fn).to(values.dtype) * scale).to(values.dtype)


def _largest(values: torch.Tensor) -> torch.Tensor:
    return values.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.bfloat16).tiny)


ROUNDINGS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {"int8": int8, "fp8": fp8}
"""By variant; the others leave activations as they are."""


def computed_as(variant: str, model: Any) -> Any:
    """The model as an engine computes that variant: its linear layers but the head round what they are given."""
    rounding = ROUNDINGS.get(variant)
    if rounding is None:
        return model
    head = model.get_output_embeddings()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer is not head:
            layer.register_forward_pre_hook(lambda _, given: (rounding(given[0]), *given[1:]))
    return model

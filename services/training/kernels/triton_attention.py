"""The kernel as an attention implementation of transformers, chosen by a recipe's `attention: lectern_triton`.

Light to import: Triton itself comes when somebody asks for the kernel.
"""

import importlib.util
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

NAME = "lectern_triton"


def missing(device: torch.device) -> str | None:
    """What keeps the kernel from running on a device, or None."""
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed (pip install 'lectern[kernel]')"
    if device.type == "cuda":
        return None
    import triton  # noqa: PLC0415

    return None if triton.knobs.runtime.interpret else "the kernel needs a GPU"


def triton_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **layout: Any,
) -> tuple[torch.Tensor, None]:
    """[batch, heads, seq, head] → [batch, seq, heads, head]. A packed row's examples end where `cu_seq_lens_q` says; a padded
    batch is rows of one example each, whose padding, on the right, no token sees."""
    from services.training.kernels.launch import attention  # noqa: PLC0415 - Triton is an extra

    if dropout or softcap is not None or layout.get("s_aux") is not None:
        raise ValueError(f"{NAME} computes no dropout, soft cap or sink of attention: set the recipe's attention to auto")
    batch, heads, length, width = query.shape
    ends, longest = layout.get("cu_seq_lens_q"), int(layout.get("max_length_q") or length)
    if ends is None:
        ends = torch.arange(batch + 1, dtype=torch.int32, device=query.device) * length
        longest = length
    q, k, v = (one.transpose(1, 2).reshape(batch * length, one.shape[1], width) for one in (query, key, value))
    output = attention(q, k.to(q.dtype), v.to(q.dtype), ends, longest, scale=scaling, window=sliding_window)
    return output.view(batch, length, heads, width), None


def _no_mask(*, attention_mask: torch.Tensor | None = None, **_: Any) -> None:
    """Causality and the ends of examples are all the masks there are. Raises ValueError for padding on the left."""
    if attention_mask is not None and not bool(attention_mask[:, 0].all()):
        raise ValueError(f"{NAME} takes padding on the right alone, as training has it")


AttentionInterface.register(NAME, triton_attention)
AttentionMaskInterface.register(NAME, _no_mask)

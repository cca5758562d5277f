"""The average of LoRA adapters: of what they add to the base, ΔW = B·A, not of A and of B apart.

The mean of the A's times the mean of the B's is another matrix: it mixes every A with every B. Side by side they are exact:
[B₁ … B_N]/N times the A's on top of each other is the mean of the products. Their rank is N times as high; the nearest
adapter of a lower one is the truncated singular value decomposition (Eckart and Young 1936), which tells what it loses.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

Weights = Mapping[str, torch.Tensor]
"""An adapter's tensors by name: of each layer `….lora_A…` [r, in] and `….lora_B…` [out, r]."""

_A, _B = ".lora_A.", ".lora_B."


@dataclass(frozen=True, slots=True)
class Averaged:
    """An average and its rank. `error` is ‖mean − kept‖ / ‖mean‖ of ΔW over all layers, Frobenius; 0 where nothing was cut.
    The rank grew without its scale: whoever loads it keeps lora_alpha / rank what it was."""

    weights: dict[str, torch.Tensor]
    rank: int
    error: float


def average(adapters: Sequence[Weights], rank: int | None = None) -> Averaged:
    """The mean ΔW of adapters of one shape; cut to `rank` where it is given and lower. Raises ValueError for tensors that are
    no LoRA pair, since their mean would be another thing."""
    weights: dict[str, torch.Tensor] = {}
    lost = whole = 0.0
    widest = 0
    for name in _layers(adapters[0]):
        a, b = _joined(adapters, name)
        if rank is not None and rank < len(a):
            a, b, gone, norm = _truncated(a, b, rank)
            lost, whole = lost + gone, whole + norm
        weights[name], weights[name.replace(_A, _B)] = a, b
        widest = max(widest, len(a))
    return Averaged(weights, widest, math.sqrt(lost / whole) if whole else 0.0)


def swa(mean: Weights, new: Weights, count: int) -> dict[str, torch.Tensor]:
    """The mean of `count` + 1 points of one path, from that of the first `count` (SWA; Izmailov et al. 2018). Of A and B apart:
    along one path they stay close, and N·r directions for each of hundreds of steps would fit nowhere."""
    return {name: mean[name] + (value - mean[name]) / (count + 1) for name, value in new.items()}


def ema(mean: Weights, new: Weights, decay: float) -> dict[str, torch.Tensor]:
    """The exponentially weighted mean of the points of one path; of A and B apart, as with `swa`."""
    return {name: decay * mean[name] + (1 - decay) * value for name, value in new.items()}


def _layers(adapter: Weights) -> list[str]:
    strange = [name for name in adapter if _A not in name and _B not in name]
    if strange:
        raise ValueError(f"{strange[0]} is no part of a LoRA pair, so its average with others is not defined")
    return [name for name in adapter if _A in name]


def _joined(adapters: Sequence[Weights], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A [N·r, in] and B [out, N·r] of the mean."""
    a = torch.cat([one[name] for one in adapters], dim=0)
    b = torch.cat([one[name.replace(_A, _B)] for one in adapters], dim=1)
    return a, b / len(adapters)


def _truncated(a: torch.Tensor, b: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor, float, float]:
    """The nearest pair of a rank, and the squared norms of what is cut and of the whole. ΔW itself is never built: the
    decomposition is of the small matrix between two orthonormal ones."""
    left, upper = torch.linalg.qr(b.double())
    right, lower = torch.linalg.qr(a.double().T)
    u, values, vt = torch.linalg.svd(upper @ lower.T)
    root = values[:rank].sqrt()
    kept_b, kept_a = left @ u[:, :rank] * root, root[:, None] * (vt[:rank] @ right.T)
    squares = values.square()
    return kept_a.to(a.dtype).contiguous(), kept_b.to(b.dtype).contiguous(), float(squares[rank:].sum()), float(squares.sum())

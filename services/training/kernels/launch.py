"""The kernels as a function that torch can differentiate: launches, tile sizes, and what is kept for the way back."""

from typing import Any

import torch
import triton

from services.training.kernels import flash

MAX_HEAD = 256
_INTERPRETED = triton.knobs.runtime.interpret
_KEY = ["D", "GROUP", "CAUSAL", "WINDOW", "LENGTH"]


def _config(rows: int, columns: int, warps: int, stages: int) -> Any:
    return triton.Config({"BLOCK_M": rows, "BLOCK_N": columns}, num_warps=warps, num_stages=stages)


def _candidates() -> list[Any]:
    """Tile sizes to choose among on a GPU, the smallest last. The interpreter has no time to measure, so it is given one."""
    smallest = _config(32, 32, 4, 1)
    if _INTERPRETED:
        return [smallest]
    large, small = ((128, 128), (128, 64), (64, 128)), ((128, 64), (64, 64), (64, 32), (32, 64))
    chosen = [(*one, 8) for one in large] + [(*one, 4) for one in small]
    return [_config(*one, stages) for one in chosen for stages in (2, 3)] + [smallest]


def _fitting(configs: list[Any], given: dict[str, Any], **shape: Any) -> list[Any]:
    """Leave out tiles that cannot fit beside each other: about 200 KiB of shared memory (Hopper; where less is to be had, the
    compiler refuses and the next is taken). Training on a GPU computes in two bytes an element; four get the smallest tile,
    since products in exact fp32 take minutes to compile."""
    if given["Q"].element_size() > 2:
        return [configs[-1]]
    width = shape["BLOCK_D"]
    fitting = [
        each
        for each in configs
        if 2 * width * (each.kwargs["BLOCK_M"] + 2 * each.kwargs["BLOCK_N"] * each.num_stages) <= 200 << 10
    ]
    return fitting or [configs[-1]]


def _tuned(kernel: Any, largest: int) -> Any:
    """`largest`: elements of a tile of scores beyond which the kernel's registers spill."""
    configs = [one for one in _candidates() if one.kwargs["BLOCK_M"] * one.kwargs["BLOCK_N"] <= largest]
    return triton.autotune(configs=configs, key=_KEY, prune_configs_by={"early_config_prune": _fitting})(kernel)


_forward = _tuned(flash.forward, 128 * 128)
_backward_keys, _backward_queries = _tuned(flash.backward_keys, 128 * 64), _tuned(flash.backward_queries, 128 * 64)


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        context: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, ends: torch.Tensor, longest: int,
        scale: float, causal: bool, window: int,
    ) -> torch.Tensor:  # fmt: skip
        q, k, v = (_rows(one) for one in (q, k, v))
        output = torch.empty_like(q, memory_format=torch.contiguous_format)
        lse = torch.empty((q.shape[1], q.shape[0]), dtype=torch.float32, device=q.device)
        shape = _shape(q, k, causal, window, longest)

        def grid(meta: dict[str, Any]) -> tuple[int, int, int]:
            return triton.cdiv(longest, meta["BLOCK_M"]), len(ends) - 1, q.shape[1]

        _forward[grid](q, k, v, output, lse, ends, scale, q.shape[0], *_strides(q, k, v, output), **shape)
        context.save_for_backward(q, k, v, output, lse, ends)
        context.longest, context.scale, context.shape = longest, scale, shape
        return output

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> Any:
        q, k, v, output, lse, ends = context.saved_tensors
        gradient = _rows(gradient)
        delta = torch.empty_like(lse)
        block = 32 if _INTERPRETED else 128
        flash.inner_products[(triton.cdiv(q.shape[0], block), q.shape[1])](
            output, gradient, delta, q.shape[0], *_strides(output, gradient),
            D=q.shape[2], BLOCK_D=context.shape["BLOCK_D"], BLOCK_M=block,
        )  # fmt: skip
        dq, dk, dv = (torch.empty_like(one, memory_format=torch.contiguous_format) for one in (q, k, v))
        common = (lse, delta, ends, context.scale, q.shape[0], *_strides(q, k, v, gradient))

        def over(heads: int, side: str) -> Any:
            return lambda meta: (triton.cdiv(context.longest, meta[side]), len(ends) - 1, heads)

        _backward_keys[over(k.shape[1], "BLOCK_N")](q, k, v, gradient, dk, dv, *common, *_strides(dk), **context.shape)
        _backward_queries[over(q.shape[1], "BLOCK_M")](q, k, v, gradient, dq, *common, *_strides(dq), **context.shape)
        return dq, dk, dv, None, None, None, None, None


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, ends: torch.Tensor, longest: int,
    *, scale: float | None = None, causal: bool = True, window: int | None = None,
) -> torch.Tensor:  # fmt: skip
    """Attention within each example of a packed row: q [tokens, heads, head], k and v [tokens, key heads, head], `ends`
    [examples + 1] (int32; the first is 0), `longest` the tokens of the longest. Returns [tokens, heads, head].

    Raises ValueError for shapes that it does not compute.
    """
    heads, key_heads, width = q.shape[1], k.shape[1], q.shape[2]
    if heads % key_heads or k.shape != v.shape or k.shape[2] != width or not 16 <= width <= MAX_HEAD:
        raise ValueError(f"no attention of {heads} heads over {key_heads} key heads of size {width}, values {tuple(v.shape)}")
    return _Attention.apply(q, k, v, ends, longest, width**-0.5 if scale is None else scale, causal, window or 0)


def _shape(q: torch.Tensor, k: torch.Tensor, causal: bool, window: int, longest: int) -> dict[str, Any]:
    return {
        "GROUP": q.shape[1] // k.shape[1], "D": q.shape[2], "BLOCK_D": triton.next_power_of_2(q.shape[2]),
        "CAUSAL": causal, "WINDOW": window, "LENGTH": triton.next_power_of_2(longest),
    }  # fmt: skip


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """The last dimension must lie together; tokens and heads may lie as they like."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _strides(*tensors: torch.Tensor) -> list[int]:
    return [stride for tensor in tensors for stride in tensor.stride()[:2]]

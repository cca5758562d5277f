"""`python -m benchmarks.attention`: the kernel against attention written out, and SDPA, on a GPU: time and memory, forward and
back, at 1k to 16k tokens. Without a GPU it says so and measures nothing."""

import argparse
import json
import sys
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention

LENGTHS = (1024, 2048, 4096, 8192, 16384)
HEADS, KEY_HEADS, WIDTH = 32, 8, 128


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """[heads, tokens, head]: what a notebook writes."""
    group = q.shape[0] // k.shape[0]
    k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
    scores = q @ k.transpose(1, 2) / WIDTH**0.5
    hidden = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v


def sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]


def kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    from services.training.kernels.launch import attention

    ends = torch.tensor([0, q.shape[1]], dtype=torch.int32, device=q.device)
    return attention(*(one.transpose(0, 1) for one in (q, k, v)), ends, q.shape[1]).transpose(0, 1)


def measured(compute: Callable[..., torch.Tensor], tokens: int) -> dict[str, float]:
    """Milliseconds forward and back (median), and the most memory beyond the inputs."""
    from triton.testing import do_bench

    parts = [
        torch.randn(heads, tokens, WIDTH, device="cuda", dtype=torch.bfloat16, requires_grad=True)
        for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    ]
    gradient = torch.randn(HEADS, tokens, WIDTH, device="cuda", dtype=torch.bfloat16)

    def step() -> None:
        compute(*parts).backward(gradient)

    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    step()
    torch.cuda.synchronize()
    return {"ms": float(do_bench(step, grad_to_none=parts)), "bytes": float(torch.cuda.max_memory_allocated() - held)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.parse_args()
    if not torch.cuda.is_available():
        print("No GPU is to be had here, so the kernel's speed is not measured. Its results are proved in tests/unit/training.")
        return 0
    print(f"{torch.cuda.get_device_name()}, {HEADS} heads over {KEY_HEADS} of {WIDTH}, bf16, causal, forward and back")
    for tokens in LENGTHS:
        told: dict[str, dict[str, float] | str] = {}
        for compute in (written_out, sdpa, kernel):
            try:
                told[compute.__name__] = measured(compute, tokens)
            except torch.cuda.OutOfMemoryError:
                told[compute.__name__] = "out of memory"
        print(json.dumps({"tokens": tokens, **told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

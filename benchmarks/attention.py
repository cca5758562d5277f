"""`python -m benchmarks.attention`: the kernel against attention written out, and SDPA, on a GPU: time and memory, forward and
back. Twice: one sequence of 1k to 16k tokens, and, as the FlashAttention papers have it, 16k tokens in sequences of 1k to 16k,
which the kernel takes as one packed row. Without a GPU it says so and measures nothing."""

import argparse
import sys
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention

LENGTHS = (1024, 2048, 4096, 8192, 16384)
HEADS, KEY_HEADS, WIDTH = 32, 8, 128


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """[sequences, heads, tokens, head]: what a notebook writes."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(2, 3) / WIDTH**0.5
    hidden = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v


def sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """As training calls it: transformers' layout in, one packed row of sequences for the kernel."""
    from services.training.kernels.triton_attention import triton_attention

    return triton_attention(torch.nn.Identity(), q, k, v, None)[0].transpose(1, 2)


def measured(compute: Callable[..., torch.Tensor], sequences: int, tokens: int) -> dict[str, float]:
    """Milliseconds forward and back (median), and the most memory beyond the inputs."""
    from triton.testing import do_bench

    parts = [
        torch.randn(sequences, heads, tokens, WIDTH, device="cuda", dtype=torch.bfloat16, requires_grad=True)
        for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    ]
    gradient = torch.randn(sequences, HEADS, tokens, WIDTH, device="cuda", dtype=torch.bfloat16)

    def step() -> None:
        compute(*parts).backward(gradient)

    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    step()
    torch.cuda.synchronize()
    peak = float(torch.cuda.max_memory_allocated() - held)
    return {"ms": float(do_bench(step, grad_to_none=parts, return_mode="median")), "bytes": peak}


def row(sequences: int, tokens: int) -> None:
    """A line: milliseconds and MB of each, and how many times as fast the kernel is."""
    told: dict[str, dict[str, float]] = {}
    for compute in (written_out, sdpa, kernel):
        try:
            told[compute.__name__] = measured(compute, sequences, tokens)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
    parts = [f"{name} {one['ms']:7.2f} ms {one['bytes'] / 1e6:6.0f} MB" for name, one in told.items()]
    ratios = [f"{told[name]['ms'] / told['kernel']['ms']:.2f} x {name}" for name in ("written_out", "sdpa") if name in told]
    print(f"{sequences:3} x {tokens:5} tokens: {', '.join(parts)}; the kernel's speed {', '.join(ratios)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.parse_args()
    if not torch.cuda.is_available():
        print("No GPU is to be had here, so the kernel's speed is not measured. Its results are proved in tests/unit/training.")
        return 0
    print(f"{torch.cuda.get_device_name()}, {HEADS} heads over {KEY_HEADS} of {WIDTH}, bf16, causal, forward and back")
    for tokens in LENGTHS:
        row(1, tokens)
    for tokens in LENGTHS[:-1]:
        row(LENGTHS[-1] // tokens, tokens)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.unit.training.kernel_errors`: cases on stdin, the kernel's errors against float64 on stdout, as JSON."""

import json
import sys
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from services.training.adapters import attention as _registered  # noqa: F401
from services.training.kernels.launch import attention

torch.set_num_threads(1)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NAMES = ("output", "dq", "dk", "dv")


def reference(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, lengths: list[int], causal: bool, window: int | None
) -> torch.Tensor:
    """Attention by its definition: [tokens, heads, head]."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    example = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(q.device)
    place = torch.arange(len(example), device=q.device)
    seen = example[:, None] == example[None, :]
    if causal:
        seen &= place[:, None] >= place[None, :]
    if window:
        seen &= place[:, None] - place[None, :] < window
    scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[2] ** 0.5
    return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, float("-inf")).softmax(-1), v)


def tensors(lengths: list[int], heads: int, key_heads: int, width: int, dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    sizes = [heads, key_heads, key_heads, heads]
    return [torch.randn(sum(lengths), one, width).to(DEVICE, dtype) for one in sizes]


def ends_of(lengths: list[int]) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(DEVICE, torch.int32)


def by_kernel(parts: list[torch.Tensor], lengths: list[int], **how: Any) -> list[torch.Tensor]:
    q, k, v = (one.clone().requires_grad_() for one in parts[:3])
    output = attention(q, k, v, ends_of(lengths), max(lengths), **how)
    output.backward(parts[3])
    return [output.detach(), *(one.grad for one in (q, k, v))]  # type: ignore[list-item]


def errors(case: dict[str, Any]) -> dict[str, float]:
    lengths, dtype = case["lengths"], getattr(torch, case.get("dtype", "float32"))
    how = {"causal": case.get("causal", True), "window": case.get("window")}
    parts = tensors(lengths, case["heads"], case["key_heads"], case["width"], dtype)
    found = by_kernel(parts, lengths, **how)
    q, k, v = (one.double().requires_grad_() for one in parts[:3])
    output = reference(q, k, v, lengths, **how)
    output.backward(parts[3].double())
    true = [output.detach(), q.grad, k.grad, v.grad]
    return {
        name: float((one.double() - other).abs().max() / other.abs().max())
        for name, one, other in zip(NAMES, found, true, strict=True)
    }


def leak() -> dict[str, float]:
    """How far the second example's figures move when the first and the third are others."""
    lengths = [20, 35, 10]
    parts = tensors(lengths, 2, 1, 64, torch.float32)
    others = [one.clone() for one in parts]
    for one in others:
        one[:20], one[55:] = 3.0, -2.0
    pairs = zip(NAMES, by_kernel(parts, lengths), by_kernel(others, lengths), strict=True)
    return {name: float((one[20:55] - other[20:55]).abs().max()) for name, one, other in pairs}


def model() -> dict[str, float]:
    """The largest difference of a small Llama's logits to those it gives each text alone, by SDPA."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=50
    )
    llama = LlamaForCausalLM(config).to(DEVICE).eval()
    texts = [torch.randint(0, 50, (length,), device=DEVICE) for length in (11, 24, 5)]
    llama.set_attn_implementation("sdpa")
    with torch.no_grad():
        alone = [llama(text[None]).logits[0] for text in texts]
        llama.set_attn_implementation("lectern_triton")
        ends = ends_of([len(text) for text in texts])
        packed = llama(
            torch.cat(texts)[None], position_ids=torch.cat([torch.arange(len(text)) for text in texts])[None].to(DEVICE),
            cu_seq_lens_q=ends, cu_seq_lens_k=ends, max_length_q=24, max_length_k=24,
        ).logits[0]  # fmt: skip
        ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
        padded = llama(ids, attention_mask=mask).logits
    whole = torch.cat(alone)
    unpadded = torch.cat([row[: len(text)] for row, text in zip(padded, texts, strict=True)])
    return {
        "scale": float(whole.abs().max()), "packed": float((packed - whole).abs().max()),
        "padded": float((unpadded - whole).abs().max()),
    }  # fmt: skip


if __name__ == "__main__":
    found = {name: errors(case) for name, case in json.load(sys.stdin).items()}
    print(json.dumps({**found, "leak": leak(), "model": model()}))

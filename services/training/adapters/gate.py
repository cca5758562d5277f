"""Both models on the same held-out examples: whole prompts at once, and token by token through the cache."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from services.training.stages.examples import IGNORED, Encoded
from services.training.stages.gate import Position, compare
from shared.contracts.exports import Comparison

CONTINUATION = 32
"""Tokens of the reference's own greedy answer that both models are led through."""


def measure(reference: Any, variant: Any, examples: Sequence[Encoded], tell: Callable[[int], None]) -> Comparison:
    """Compare `variant` with `reference`, an adapter on its base, over the examples' answers and over the reference's own."""
    adapter: list[Position] = []
    prefill: list[Position] = []
    decoding: list[Position] = []
    reference_nll: list[float] = []
    nll: list[float] = []
    for done, one in enumerate(examples, 1):
        answer = torch.tensor([label for label in one.labels if label != IGNORED])
        kept = torch.tensor([at - 1 for at, label in enumerate(one.labels) if label != IGNORED])
        ours, theirs = (_prefill(model, one.ids)[kept] for model in (reference, variant))
        prefill += _positions(ours, theirs)
        with reference.disable_adapter():
            adapter += _positions(ours, _prefill(reference, one.ids)[kept])
        reference_nll += _nll(ours, answer)
        nll += _nll(theirs, answer)
        prompt = one.ids[: int(kept[0]) + 1]
        said, ours = decode(reference, prompt, None)
        decoding += _positions(ours, decode(variant, prompt, said)[1])
        tell(done)
    return compare(adapter, prefill, decoding, reference_nll, nll)


def _prefill(model: Any, ids: Sequence[int]) -> torch.Tensor:
    """Log-probabilities [seq, vocabulary] in float32."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0]
    return logits.float().log_softmax(dim=-1).cpu()


def decode(model: Any, prompt: Sequence[int], forced: Sequence[int] | None) -> tuple[list[int], torch.Tensor]:
    """The tokens gone through, greedy where none are forced, and the log-probabilities [tokens, vocabulary] before each."""
    said: list[int] = []
    rows: list[torch.Tensor] = []
    cache = None
    ids = list(prompt)
    with torch.inference_mode():
        for step in range(CONTINUATION if forced is None else len(forced)):
            out = model(input_ids=torch.tensor([ids], device=model.device), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            rows.append(out.logits[0, -1].float().log_softmax(dim=-1).cpu())
            said.append(int(rows[-1].argmax()) if forced is None else forced[step])
            ids = said[-1:]
            if forced is None and said[-1] == model.config.eos_token_id:
                break
    return said, torch.stack(rows)


def _positions(ours: torch.Tensor, theirs: torch.Tensor) -> list[Position]:
    divergence = torch.nn.functional.kl_div(theirs, ours, reduction="none", log_target=True).sum(dim=-1)
    best = ours.topk(2, dim=-1).values
    agrees = ours.argmax(dim=-1) == theirs.argmax(dim=-1)
    return [
        Position(divergence=float(d), margin=float(m), agrees=bool(a))
        for d, m, a in zip(divergence, best[:, 0] - best[:, 1], agrees, strict=True)
    ]


def _nll(logprobs: torch.Tensor, answer: torch.Tensor) -> list[float]:
    return [-float(one) for one in logprobs.gather(1, answer[:, None])]

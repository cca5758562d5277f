"""How far a policy has moved from its reference, estimated from the tokens it sampled (Schulman 2020, "Approximating KL
divergence"): k1 is what is paid for, k3 a check of it."""

import torch


def k1(policy: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """log p - log q of each token: unbiased for KL(p, q) where p sampled it, and may be negative."""
    return policy - reference


def k3(policy: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(q/p - 1) - log(q/p): unbiased as well, never negative, and steadier while the two are near. Far apart, the rare
    tokens that would make up its mean are not among those sampled, and it tells about 1 nat a token too little."""
    gap = reference - policy
    return torch.expm1(gap) - gap


def an_answer(tokens: torch.Tensor, mask: torch.Tensor) -> float:
    """Nats an answer: summed over its tokens, averaged over answers."""
    return float((tokens * mask).sum(dim=1).mean())


def entropy(logits: torch.Tensor) -> torch.Tensor:
    """Of the next token's distribution, in nats: [..., vocabulary] → [...]."""
    logs = torch.log_softmax(logits.float(), dim=-1)
    return -(logs.exp() * logs).sum(dim=-1)

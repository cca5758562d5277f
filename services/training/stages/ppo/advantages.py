"""How much better each sampled token was than expected: rewards a token, generalized advantages, and their whitening.

Everything is [batch, time] over the tokens of answers, padded on the right; `mask` is True where there is a token.
"""

import torch


def token_rewards(scores: torch.Tensor, divergence: torch.Tensor, mask: torch.Tensor, coefficient: float) -> torch.Tensor:
    """Every token pays for its divergence from the reference; the last one earns the answer's score as well (Ziegler et al.
    2019, section 2.1). `scores` is [batch], `divergence` the k1 estimate of each token."""
    rewards = -coefficient * divergence * mask
    last = mask.long().sum(dim=1, keepdim=True) - 1
    return rewards.scatter_add(1, last, scores.unsqueeze(1).to(rewards.dtype))


def generalized_advantages(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, discount: float, trace: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and returns (Schulman et al. 2016, equations 11 to 16): delta_t = r_t + discount V_{t+1} - V_t, and
    A_t = delta_t + discount trace A_{t+1}. Past an answer's last token the value is 0: it is over there, even where it was
    cut off."""
    values = values * mask
    advantages = torch.zeros_like(values)
    following = torch.zeros_like(values[:, 0])
    after = torch.zeros_like(values[:, 0])
    for step in reversed(range(values.shape[1])):
        surprise = rewards[:, step] + discount * after - values[:, step]
        following = (surprise + discount * trace * following) * mask[:, step]
        advantages[:, step] = following
        after = values[:, step]
    return advantages, (advantages + values) * mask


def whiten(values: torch.Tensor, mask: torch.Tensor, floor: float = 1e-8) -> torch.Tensor:
    """Mean 0 and variance 1 over all tokens, 0 where there is none: the size of a step does not hang on that of rewards."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    return (values - mean) * torch.rsqrt(variance + floor) * mask


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Over all tokens of the batch, each as heavy as another."""
    return (values * mask).sum() / mask.sum()

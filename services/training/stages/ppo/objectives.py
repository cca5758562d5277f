"""What PPO climbs and what it pays for (Schulman et al. 2017): the clipped policy and value losses, and what they did."""

from dataclasses import dataclass

import torch

from services.training.stages.ppo.advantages import masked_mean


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The loss to descend, and the share of tokens whose gradient the clipping stopped."""

    loss: torch.Tensor
    clipped: float


def policy_loss(new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, clip: float) -> PolicyLoss:
    """Equation 7: -min(ratio A, clamp(ratio, 1 - clip, 1 + clip) A), averaged over tokens. `new` and `old` are log
    probabilities of the sampled tokens, now and when they were sampled."""
    ratio = torch.exp(new - old)
    free = ratio * advantages
    held = ratio.clamp(1 - clip, 1 + clip) * advantages
    stopped = (held < free).to(free.dtype)
    return PolicyLoss(-masked_mean(torch.minimum(free, held), mask), float(masked_mean(stopped, mask)))


def value_loss(new: torch.Tensor, old: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float) -> torch.Tensor:
    """Half the squared error, where a value may move no further than `clip` from what it was when the answer was sampled
    (equation 9's second term, clipped as in the authors' code)."""
    held = old + (new - old).clamp(-clip, clip)
    worse = torch.maximum((new - returns) ** 2, (held - returns) ** 2)
    return 0.5 * masked_mean(worse, mask)


def explained_variance(values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor) -> float:
    """1 - Var(returns - values) / Var(returns): 1 where the value head foresees all, 0 where a constant does as well."""
    at = mask.bool()
    spread = float(returns[at].var(correction=0))
    return 1 - float((returns - values)[at].var(correction=0)) / spread if spread > 0 else 0.0

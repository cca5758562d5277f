"""Elastic weight consolidation (Kirkpatrick et al. 2017) over an adapter: what mattered for earlier data is held where it was.

The penalty is lambda/2 · Σ F·(θ − θ*)², with θ* the weights that tuning begins from and F the diagonal of the Fisher
information at θ* over earlier examples. F is told per token, as the loss is: were F more than its diagonal, lambda 1 would
make a token of earlier data weigh as much as one of the new.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Consolidation:
    """`anchor` is θ*, `fisher` F, in nats a token; both by the names of the parameters that learn, shaped as they are."""

    strength: float
    anchor: Mapping[str, torch.Tensor]
    fisher: Mapping[str, torch.Tensor]

    def penalty(self, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """In nats a token, a scalar."""
        parts = [(self.fisher[name] * (weights[name].detach() - at).square()).sum() for name, at in self.anchor.items()]
        return self.strength / 2 * torch.stack(parts).sum()

    def gradient(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """Of the penalty by one parameter."""
        return self.strength * self.fisher[name] * (weight.detach() - self.anchor[name])

    def add_gradient(self, parameters: Iterable[tuple[str, torch.nn.Parameter]], scale: float = 1.0) -> None:
        """Add the penalty's gradient to gradients that are multiplied by `scale` (of a loss scaler). Once an optimizer step,
        after the workers' gradients are averaged: so it depends neither on accumulation nor on how many workers there are."""
        for name, parameter in parameters:
            if name in self.anchor and parameter.grad is not None:
                parameter.grad.add_(self.gradient(name, parameter).to(parameter.grad.dtype), alpha=scale)


def fisher_diagonal(squares: Mapping[str, torch.Tensor], tokens: int) -> dict[str, torch.Tensor]:
    """From the sums over examples of the squared gradients of an example's summed negative log-likelihood (the empirical
    Fisher: at the answers that stand in the data), and the number of tokens of those answers."""
    return {name: value / tokens for name, value in squares.items()}

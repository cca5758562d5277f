"""Elastic weight consolidation: the penalty, its gradient, and where the Fisher information comes from."""

import pytest
import torch

from services.training.stages.consolidation import Consolidation, fisher_diagonal


def consolidation(strength: float = 3.0) -> Consolidation:
    chance = torch.Generator().manual_seed(0)
    shapes = {"a": (3, 4), "b": (5,)}
    anchor = {name: torch.randn(shape, generator=chance, dtype=torch.float64) for name, shape in shapes.items()}
    fisher = {name: torch.rand(shape, generator=chance, dtype=torch.float64) for name, shape in shapes.items()}
    return Consolidation(strength, anchor, fisher)


def moved(at: Consolidation) -> dict[str, torch.nn.Parameter]:
    chance = torch.Generator().manual_seed(1)
    return {
        name: torch.nn.Parameter(value + torch.randn(value.shape, generator=chance, dtype=torch.float64))
        for name, value in at.anchor.items()
    }


def test_at_the_anchor_there_is_no_penalty_and_no_gradient() -> None:
    held = consolidation()
    assert float(held.penalty(held.anchor)) == 0
    assert all(not held.gradient(name, value).any() for name, value in held.anchor.items())


def test_the_gradient_is_that_of_finite_differences() -> None:
    held = consolidation()
    weights = {name: value.detach() for name, value in moved(held).items()}
    step = 1e-6
    for name, value in weights.items():
        found = held.gradient(name, value).flatten()
        for at in range(value.numel()):
            bumped = {key: one.clone() for key, one in weights.items()}
            bumped[name].view(-1)[at] += step
            lowered = {key: one.clone() for key, one in weights.items()}
            lowered[name].view(-1)[at] -= step
            slope = (float(held.penalty(bumped)) - float(held.penalty(lowered))) / (2 * step)
            assert float(found[at]) == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_the_gradient_is_added_once_to_what_the_data_say_in_the_scale_of_the_loss() -> None:
    held = consolidation()
    parameters = moved(held)
    for value in parameters.values():
        value.grad = torch.full_like(value, 2.0)
    parameters["free"] = torch.nn.Parameter(torch.ones(2))
    held.add_gradient(parameters.items(), scale=8.0)
    for name in held.anchor:
        torch.testing.assert_close(parameters[name].grad, 2.0 + 8.0 * held.gradient(name, parameters[name]))
    assert parameters["free"].grad is None


def test_the_fisher_of_a_known_model_is_found() -> None:
    """Of a coin's logit the Fisher information is p(1 - p); the empirical one over many throws comes near it."""
    logit = torch.tensor(0.7, dtype=torch.float64)
    p = float(torch.sigmoid(logit))
    throws = (torch.rand(20_000, generator=torch.Generator().manual_seed(2)) < p).double()
    squares = {"logit": (p - throws).square().sum()}
    assert float(fisher_diagonal(squares, len(throws))["logit"]) == pytest.approx(p * (1 - p), rel=0.02)

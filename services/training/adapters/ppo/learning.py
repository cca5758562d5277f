"""One step of PPO: what sampled answers earn, and the passes over them that make the likelier which earned more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch

from services.training.adapters.ppo.policy import Policy
from services.training.adapters.ppo.sampling import Rollout
from services.training.stages.ppo.advantages import generalized_advantages, masked_mean, token_rewards, whiten
from services.training.stages.ppo.divergence import an_answer, k1, k3
from services.training.stages.ppo.objectives import explained_variance, policy_loss, value_loss
from shared.contracts.ppo import PPO


@dataclass(frozen=True, slots=True)
class Experience:
    """A rollout with what policy and reference made of it when it was sampled. All but `scores`, [batch], are [batch, time]."""

    rollout: Rollout
    scores: torch.Tensor
    logs: torch.Tensor
    reference: torch.Tensor
    values: torch.Tensor
    entropy: torch.Tensor

    def metrics(self) -> dict[str, float]:
        mask = self.rollout.mask
        return {
            "reward": float(self.scores.mean()),
            "kl": an_answer(k1(self.logs, self.reference), mask),
            "kl_k3": an_answer(k3(self.logs, self.reference), mask),
            "entropy": float(masked_mean(self.entropy, mask)),
            "answer_tokens": float(mask.sum(dim=1).float().mean()),
            "ended": fmean(self.rollout.ended),
        }


def experience(policy: Policy, rollout: Rollout, scores: Sequence[float], minibatch: int) -> Experience:
    """Judge a rollout by policy and reference."""
    device = rollout.ids.device
    answer = rollout.mask.shape[1]
    rows = torch.arange(len(scores), device=device).split(minibatch)
    with torch.no_grad():
        judged = [policy.judge(*rollout.rows(at), answer) for at in rows]
        with policy.as_reference():
            reference = [policy.judge(*rollout.rows(at), answer).logs for at in rows]
    return Experience(
        rollout, torch.tensor(scores, device=device), torch.cat([one.logs for one in judged]), torch.cat(reference),
        torch.cat([one.values for one in judged]), torch.cat([one.entropy for one in judged]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Targets:
    """What is learned from an experience, each [batch, time]."""

    advantages: torch.Tensor
    returns: torch.Tensor


def targets(lived: Experience, ppo: PPO, coefficient: float) -> Targets:
    mask = lived.rollout.mask
    rewards = token_rewards(lived.scores, k1(lived.logs, lived.reference), mask, coefficient)
    advantages, returns = generalized_advantages(rewards, lived.values, mask, ppo.discount, ppo.trace)
    return Targets(whiten(advantages, mask), returns)


class Learner:
    """Takes the optimizer's steps. `around` is what a forward pass is computed in (autocast)."""

    def __init__(
        self, policy: Policy, optimizer: Any, ppo: PPO, minibatch: int, most_gradient: float, around: Callable[[], Any]
    ):
        self._policy = policy
        self._optimizer = optimizer
        self._ppo = ppo
        self._minibatch = minibatch
        self._most_gradient = most_gradient
        self._around = around

    def learn(self, lived: Experience, wanted: Targets, checkpointing: bool) -> dict[str, float]:
        """All passes over an experience. Minibatches are drawn from torch's generator."""
        told = [self._step(lived, wanted, at, checkpointing) for at in self._minibatches(len(lived.scores))]
        means = {name: fmean(one[name] for one in told) for name in told[0]}
        return {**means, "explained_variance": explained_variance(lived.values, wanted.returns, lived.rollout.mask)}

    def _minibatches(self, count: int) -> Iterator[torch.Tensor]:
        for _ in range(self._ppo.passes):
            yield from torch.randperm(count).split(self._minibatch)

    def _step(self, lived: Experience, wanted: Targets, at: torch.Tensor, checkpointing: bool) -> dict[str, float]:
        mask = lived.rollout.mask[at]
        with self._around(), self._policy.remembering_less(checkpointing):
            judged = self._policy.judge(*lived.rollout.rows(at), mask.shape[1])
            climbed = policy_loss(judged.logs, lived.logs[at], wanted.advantages[at], mask, self._ppo.clip)
            foreseen = value_loss(judged.values, lived.values[at], wanted.returns[at], mask, self._ppo.value_clip)
            loss = climbed.loss + self._ppo.value_weight * foreseen
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
        learning = [one for one in self._policy.parameters() if one.requires_grad]
        gradient = torch.nn.utils.clip_grad_norm_(learning, self._most_gradient)
        self._optimizer.step()
        return {
            "loss": float(loss.detach()), "value_loss": float(foreseen.detach()), "clipped": climbed.clipped,
            "gradient": float(gradient), "moved": an_answer(k3(lived.logs[at], judged.logs.detach()), mask),
        }  # fmt: skip

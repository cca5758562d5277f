"""Answers as the policy gives them: every token drawn from its own distribution, nothing cut off it or sharpened."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from services.training.adapters.ppo.policy import Policy
from services.training.stages.examples import Encoded


@dataclass(frozen=True, slots=True)
class Rollout:
    """Answers to a batch of prompts. `ids` and `attention` are [batch, prompt + answer], with prompts padded on the left and
    answers on the right; `mask` is [batch, answer], True at the answer's tokens, its EOS among them."""

    ids: torch.Tensor
    attention: torch.Tensor
    mask: torch.Tensor
    answers: tuple[tuple[int, ...], ...]
    ended: tuple[bool, ...]

    @property
    def tokens(self) -> int:
        return int(self.attention.sum())

    def rows(self, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Some of the rows, as a model takes them."""
        return self.ids[at], self.attention[at]


def prompt_of(example: Encoded) -> tuple[int, ...]:
    """An example up to its answer."""
    return example.ids[: len(example.ids) - example.response_tokens]


def sample(policy: Policy, prompts: Sequence[Sequence[int]], eos: int, most: int) -> Rollout:
    """One answer a prompt, of at most so many tokens. Draws from torch's generator."""
    width = max(map(len, prompts))
    device = policy.model.device
    ids = torch.tensor([[eos] * (width - len(one)) + list(one) for one in prompts], device=device)
    asked = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=device)
    with torch.no_grad():
        said = policy.model.generate(
            input_ids=ids, attention_mask=asked, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=most,
            eos_token_id=eos, pad_token_id=eos,
        )  # fmt: skip
    return _rollout(said, asked, eos)


def _rollout(ids: torch.Tensor, asked: torch.Tensor, eos: int) -> Rollout:
    """The first EOS of an answer is its end; what follows is padding, whatever it looks like."""
    answers = ids[:, asked.shape[1] :]
    is_end = answers == eos
    mask = (is_end.cumsum(dim=1) - is_end.long()) == 0
    ended = is_end.any(dim=1).tolist()
    texts = tuple(
        tuple(row[: count - over]) for row, count, over in zip(answers.tolist(), mask.sum(dim=1).tolist(), ended, strict=True)
    )
    return Rollout(ids, torch.cat([asked, mask.long()], dim=1), mask, texts, tuple(ended))

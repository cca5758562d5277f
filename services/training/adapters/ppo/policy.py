"""The policy that learns, its value head, and its reference, which is the same base: without the adapter, or with the
adapter that the run began from."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn.functional import log_softmax
from transformers import GenerationConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from services.training.stages.ppo.divergence import entropy

LEARNING, REFERENCE = "default", "reference"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model makes of answers, each [batch, time]: log probabilities of their tokens, what is to come, and entropy."""

    logs: torch.Tensor
    values: torch.Tensor
    entropy: torch.Tensor


class ValueHead(torch.nn.Module):  # type: ignore[misc]
    """Hidden state → the return to come. Begins at 0, and computes in fp32 whatever surrounds it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(size))
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return (hidden.float() * self.weight).sum(dim=-1) + self.bias


class Policy(torch.nn.Module):  # type: ignore[misc]
    """A base with an adapter, and a value head on its last hidden states."""

    def __init__(self, model: Any, begins_from: dict[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        self.model = model
        self.value = ValueHead(model.config.get_text_config().hidden_size).to(model.device)
        self._has_parent = begins_from is not None
        self._takes_positions = "position_ids" in inspect.signature(model.get_base_model().forward).parameters
        # Whatever the base's authors sample with: what is sampled here is the policy itself.
        model.generation_config = GenerationConfig(eos_token_id=None)
        if begins_from is not None:
            model.add_adapter(REFERENCE, model.peft_config[LEARNING])
            set_peft_model_state_dict(model, begins_from, adapter_name=REFERENCE)
            model.set_adapter(LEARNING)
        _rest(model)

    @contextmanager
    def as_reference(self) -> Iterator[None]:
        """The reference in the policy's place; nothing learns meanwhile."""
        with torch.no_grad():
            if not self._has_parent:
                with self.model.disable_adapter():
                    yield
                return
            self.model.set_adapter(REFERENCE, inference_mode=True)
            try:
                yield
            finally:
                self.model.set_adapter(LEARNING)

    @contextmanager
    def remembering_less(self, active: bool) -> Iterator[None]:
        """With gradient checkpointing, which layers do only where they believe that they are trained."""
        layers = [one for one in self.model.modules() if active and isinstance(one, GradientCheckpointingLayer)]
        for layer in layers:
            layer.training = True
        try:
            yield
        finally:
            for layer in layers:
                layer.training = False

    def judge(self, ids: torch.Tensor, mask: torch.Tensor, answer: int) -> Judged:
        """[batch, prompt + answer] → [batch, answer]. Prompts are padded on the left, so that answers begin together."""
        before = torch.arange(ids.shape[1] - answer - 1, ids.shape[1] - 1, device=ids.device)
        positions = {"position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)} if self._takes_positions else {}
        told = self.model(
            input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True, logits_to_keep=before, **positions
        )
        logits = told.logits.float()
        logs = log_softmax(logits, dim=-1).gather(2, ids[:, -answer:].unsqueeze(2)).squeeze(2)
        return Judged(logs, self.value(told.hidden_states[-1][:, before]), entropy(logits.detach()))

    def adapter(self) -> dict[str, torch.Tensor]:
        """The weights that learn."""
        return get_peft_model_state_dict(self.model, adapter_name=LEARNING)  # type: ignore[no-any-return]


def _rest(model: Any) -> None:
    """Without dropout, while sampling and while learning: the ratio of probabilities must be 1 until something is learned.
    4-bit layers stay as they are: on a CPU bitsandbytes repacks them for good, past any gradient, where it sees them rest."""
    for module in model.modules():
        module.training = isinstance(module, Linear4bit)

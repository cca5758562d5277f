"""A reward model at work: an adapter more on the base that another adapter learns on, and its head."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, set_peft_model_state_dict
from safetensors.torch import load, load_file, save

from services.training.adapters.models import SCORE
from services.training.adapters.scores import batches
from services.training.adapters.unpickled import LEARNING
from services.training.stages.examples import Encoded, pad

JUDGE = "judge"
"""PEFT's name for the reward model's adapter."""
_HEAD = f"base_model.model.{SCORE}.weight"


def packed(weights: Path, config: Path, mean: float, deviation: float) -> bytes:
    """A reward model as one value (safetensors) that travels to whoever scores by it. Raises ValueError for another adapter."""
    tensors = load_file(weights)
    if _HEAD not in tensors:
        raise ValueError("the adapter has no head for rewards")
    told = json.loads(config.read_bytes())
    shape = {name: told[name] for name in ("r", "lora_alpha", "target_modules")}
    return bytes(save(tensors, {"adapter": json.dumps(shape), "mean": repr(mean), "deviation": repr(deviation)}))


class Scorer:
    """Rewards in standard deviations of those for held-out answers. `around` is what a forward pass is computed in."""

    def __init__(self, model: Any, judge: bytes, eos: int, around: Callable[[], Any]) -> None:
        self._model = model
        self._eos = eos
        self._around = around
        told, weights = _metadata(judge), load(judge)
        self._mean, self._deviation = float(told["mean"]), float(told["deviation"])
        self._head = weights.pop(_HEAD).float().flatten().to(model.device)
        model.add_adapter(JUDGE, LoraConfig(task_type="CAUSAL_LM", inference_mode=True, **json.loads(told["adapter"])))
        set_peft_model_state_dict(model, weights, adapter_name=JUDGE)
        for name, parameter in model.named_parameters():
            if f".{JUDGE}." in name:
                parameter.requires_grad_(False)
        model.set_adapter(LEARNING)

    def rewards(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> list[float]:
        """Of answers without their EOS; one that was cut off is scored as if it had ended there."""
        said = [Encoded((*prompt, *answer, self._eos), ()) for prompt, answer in zip(prompts, answers, strict=True)]
        found = [0.0] * len(said)
        self._model.set_adapter(JUDGE, inference_mode=True)
        try:
            with torch.no_grad(), self._around():
                for batch in batches(said):
                    for index, reward in zip(batch, self._scored([said[index] for index in batch]), strict=True):
                        found[index] = (reward - self._mean) / self._deviation
        finally:
            self._model.set_adapter(LEARNING)
        return found

    def _scored(self, said: Sequence[Encoded]) -> list[float]:
        padded = pad(said, self._eos)
        ids, mask = (torch.tensor(rows, device=self._model.device) for rows in (padded.ids, padded.mask))
        hidden = self._model.get_base_model().base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(said)), mask.sum(dim=1) - 1]
        return [float(one) for one in last.float() @ self._head]


def _metadata(judge: bytes) -> dict[str, str]:
    length = int.from_bytes(judge[:8], "little")
    return dict(json.loads(judge[8 : 8 + length])["__metadata__"])

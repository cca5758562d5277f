"""Checkpoints of a run by PPO: the adapter, the value head, the optimizer, the schedule and the price. No random state: each
step draws from a seed of its own."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft import set_peft_model_state_dict
from safetensors.torch import load_file

from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import CURVE, FACTS, Facts
from services.training.adapters.machine import peak_memory_bytes
from services.training.adapters.ppo.policy import LEARNING, Policy
from services.training.adapters.states import load_state, save_state
from services.training.curves import write_curve
from services.training.stages.ppo.coefficient import Coefficient
from shared.contracts.learning import LossPoint

_ADAPTER, _STATE = "adapter_model.safetensors", "ppo"


class Saver:
    """Writes checkpoints below a directory and uploads them."""

    def __init__(self, checkpoints: Checkpoints, directory: Path, facts: Facts) -> None:
        self._checkpoints = checkpoints
        self._directory = directory
        self._facts = facts

    def save(
        self, step: int, policy: Policy, optimizer: Any, scheduler: Any, coefficient: Coefficient, curve: Sequence[LossPoint]
    ) -> None:
        directory = self._directory / f"checkpoint-{step}"
        shutil.rmtree(directory, ignore_errors=True)
        policy.model.save_pretrained(directory, selected_adapters=[LEARNING])
        state = {
            "value": policy.value.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
            "coefficient": coefficient.value,
        }  # fmt: skip
        save_state(directory, _STATE, state)
        memory = peak_memory_bytes(policy.model.device)
        facts = self._facts.model_copy(update={"peak_memory_bytes": memory})
        (directory / FACTS).write_text(facts.model_dump_json(), encoding="utf-8")
        write_curve(directory / CURVE, curve)
        self._checkpoints.commit(step, self._checkpoints.upload(step, directory))
        shutil.rmtree(directory)


def taken_up(checkpoint: Path, policy: Policy, optimizer: Any, scheduler: Any, coefficient: Coefficient) -> Coefficient:
    """Put everything where it stood; returns the price that stood with it."""
    set_peft_model_state_dict(policy.model, load_file(checkpoint / _ADAPTER), adapter_name=LEARNING)
    state = load_state(checkpoint, _STATE)
    policy.value.load_state_dict(state["value"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    return replace(coefficient, value=state["coefficient"])

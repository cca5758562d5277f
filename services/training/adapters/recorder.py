"""What is written down while a run trains: a point of the curve each step, and checkpoints that outlive the machine."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import CURVE, FACTS, Diverged, Facts, Job
from services.training.adapters.machine import device_name, peak_memory_bytes
from services.training.curves import write_curve
from shared.contracts.learning import LossPoint


class RunRecorder(TrainerCallback):  # type: ignore[misc]
    """Follows the trainer of one worker. Points go to `tell` as they come; only the first worker has points to tell. What is
    held out is measured by the first alone, or by all `together`, where none has the whole base."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        curve: Sequence[LossPoint],
        facts: Facts,
        device: torch.device,
        tell: Callable[[LossPoint], None],
        heldout: Callable[[int], float | None] = lambda step: None,
        figures: Callable[[int, dict[str, Any]], dict[str, float]] = lambda step, logs: {},
        together: bool = False,
    ) -> None:
        self._checkpoints = checkpoints
        self._curve = list(curve)
        self._facts = facts
        self._device = device
        self._tell = tell
        self._heldout = heldout
        self._figures = figures
        self._together = together
        self._tokens_before = curve[-1].tokens if curve else 0
        self._seconds_before = curve[-1].seconds if curve else 0.0
        self._began = 0.0

    def follow(self, figures: Callable[[int, dict[str, Any]], dict[str, float]]) -> None:
        """What only the trainer knows of its steps, once there is one."""
        self._figures = figures

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "learning_rate" not in logs:
            return
        if not state.is_world_process_zero:
            if self._together:
                self._heldout(state.global_step)
            return
        if not math.isfinite(logs["loss"]):
            raise Diverged(f"the loss is {logs['loss']} at step {state.global_step}")
        point = LossPoint(
            step=state.global_step, epoch=float(logs["epoch"]), loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]), tokens=self._tokens_before + int(logs["num_tokens"]),
            seconds=self._seconds_before + time.monotonic() - self._began, memory_bytes=peak_memory_bytes(self._device),
            heldout_loss=self._heldout(state.global_step), metrics=self._figures(state.global_step, logs),
        )  # fmt: skip
        self._curve.append(point)
        self._tell(point)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Each worker uploads its share; the checkpoint is complete when the last of them has."""
        directory = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            self._write_record(directory)
        shares = _gathered(self._checkpoints.upload(state.global_step, directory), args.world_size)
        if state.is_world_process_zero:
            files = {name: sha256 for share in shares for name, sha256 in share.items()}
            self._checkpoints.commit(state.global_step, files)

    def _write_record(self, directory: Path) -> None:
        facts = self._facts.model_copy(update={"peak_memory_bytes": peak_memory_bytes(self._device)})
        (directory / FACTS).write_text(facts.model_dump_json(), encoding="utf-8")
        write_curve(directory / CURVE, self._curve)


def facts_of(model: Any, job: Job, device: torch.device, step: int) -> Facts:
    """Of a model with an adapter that is taken up after so many steps."""
    trainable, total = model.get_nb_trainable_parameters()
    return Facts(
        trainable_parameters=trainable, total_parameters=total, precision=job.precision,
        device=device_name(device), peak_memory_bytes=0, resumed_from_step=step, packing=job.packing,
        attention=model.config._attn_implementation,
    )  # fmt: skip


def _gathered(share: dict[str, str], workers: int) -> list[dict[str, str]]:
    """Every worker's share; returns when all have one. Waits for the others."""
    if workers == 1:
        return [share]
    shares: list[dict[str, str]] = [{} for _ in range(workers)]
    torch.distributed.all_gather_object(shares, share)
    return shares

"""What a run does to keep what was learnt before: it is held near the weights that mattered, gathers candidates, and ends with
the one that is chosen. All of it stands in each checkpoint, so that a resumed run ends as an undisturbed one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from services.training.adapters.consolidating import consolidation
from services.training.adapters.jobs import CHOICE, CHOSEN, Continuing, Job
from services.training.adapters.scores import heldout_loss
from services.training.adapters.snapshots import Snapshots, decide, wearing
from services.training.adapters.states import load_state, save_state
from services.training.stages.consolidation import Consolidation
from shared.contracts.recipes import Continual

_SNAPSHOTS, _CONSOLIDATION = "snapshots", "consolidation"


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Follows the trainer of one worker, ahead of whoever uploads the checkpoint. Every worker is held back alike; the first
    gathers and chooses."""

    def __init__(self, wish: Continual, told: Continuing, rank: int, total: int, pad_id: int, checkpoint: Path | None) -> None:
        self._wish, self._told, self._pad_id, self._total = wish, told, pad_id, total
        self._snapshots = Snapshots(wish, total, rank)
        self._held: Consolidation | None = None
        self._checkpoint = checkpoint

    @classmethod
    def of(cls, job: Job, total: int, pad_id: int, checkpoint: Path | None) -> Self | None:
        """None for a run that has nothing to keep."""
        wish, told = job.recipe.continual, job.continuing
        return cls(wish, told, job.recipe.lora_r, total, pad_id, checkpoint) if wish and told else None

    def pull(self, parameters: Iterable[tuple[str, torch.nn.Parameter]], scale: float) -> None:
        """Towards the weights that the run began from, each as much as it mattered."""
        if self._held is not None:
            self._held.add_gradient(parameters, scale)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if self._checkpoint is None:
            if self._wish.ewc and self._told.earlier:
                self._held = consolidation(model, self._told.earlier, self._wish.ewc)
            return
        gathered = load_state(self._checkpoint, _SNAPSHOTS)
        if gathered is not None:
            self._snapshots.restore(gathered)
        held = load_state(self._checkpoint, _CONSOLIDATION)
        if held is not None:
            there = {kind: {name: one.to(model.device) for name, one in part.items()} for kind, part in held.items()}
            self._held = Consolidation(self._wish.ewc, there["anchor"], there["fisher"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if state.is_world_process_zero and self._told.choosing:
            self._snapshots.after_step(state.global_step, model)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        directory = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self._held is not None:
            save_state(directory, _CONSOLIDATION, {"anchor": self._held.anchor, "fisher": self._held.fisher})
        if not self._told.choosing:
            return
        loss = heldout_loss(model, self._told.choosing[self._told.new], self._pad_id)
        self._snapshots.at_checkpoint(state.global_step, model, loss)
        save_state(directory, _SNAPSHOTS, self._snapshots.state())
        if state.global_step >= self._total:
            self._choose(model, directory)

    def _choose(self, model: Any, directory: Path) -> None:
        found = self._snapshots.candidates()
        choice, chosen = decide(model, found, self._told.choosing, self._told.new, self._wish, self._pad_id)
        with wearing(model, chosen.weights):
            weights = {name: one.detach().cpu().contiguous() for name, one in get_peft_model_state_dict(model).items()}
        save_file(weights, directory / CHOSEN)
        (directory / CHOICE).write_text(choice.model_dump_json(), encoding="utf-8")

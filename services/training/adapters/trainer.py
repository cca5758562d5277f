"""TRL's SFT trainer, with our order of examples and with checkpoints that hold no pickle."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from services.training.adapters.models import response_nll
from services.training.adapters.sharding import shared_out
from services.training.adapters.unpickled import Unpickled
from services.training.stages.examples import Encoded, pad
from services.training.stages.packing import Row, flatten
from services.training.stages.precision import Precision
from services.training.stages.schedule import StepPlan
from shared.contracts.recipes import TrainingRecipe

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def trainer_settings(recipe: TrainingRecipe, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool) -> SFTConfig:
    """A recipe in the trainer's own words."""
    return SFTConfig(packing=False, **run_settings(recipe, plan, precision, directory, on_cpu))


def run_settings(recipe: TrainingRecipe, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool) -> dict[str, Any]:
    """What every trainer is told of a recipe, by the names that they have in common."""
    return {
        "output_dir": str(directory), "max_steps": plan.total, "warmup_steps": plan.warmup, "seed": recipe.seed,
        "data_seed": recipe.seed, "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.gradient_accumulation, "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": SCHEDULES[recipe.schedule], "weight_decay": recipe.weight_decay, "optim": recipe.optimizer,
        "max_grad_norm": recipe.max_gradient_norm, "bf16": precision == "bf16", "fp16": precision == "fp16", "use_cpu": on_cpu,
        "gradient_checkpointing": False, "dataloader_pin_memory": not on_cpu, "max_length": None,
        "remove_unused_columns": False,
        "logging_steps": 1, "logging_first_step": True, "save_strategy": "steps", "save_steps": recipe.checkpoint_steps,
        "save_total_limit": 1, "average_tokens_across_devices": True, "logging_nan_inf_filter": False, "report_to": "none",
        "disable_tqdm": True,
    }  # fmt: skip


class FlatRows:
    """Collates rows of examples into one row of shape [1, seq]; positions and ends say where each example begins."""

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        batch = flatten([Row(tuple(row["input_ids"]), tuple(row["labels"]), tuple(row["lengths"])) for row in rows])
        ends = torch.tensor(batch.ends, dtype=torch.int32)
        return {
            "input_ids": torch.tensor([batch.ids]),
            "labels": torch.tensor([batch.labels]),
            "position_ids": torch.tensor([batch.positions]),
            # In the words that transformers' flash attention knows.
            "cu_seq_lens_q": ends,
            "cu_seq_lens_k": ends,
            "max_length_q": batch.longest,
            "max_length_k": batch.longest,
        }


class PadBatch:
    """Collates examples into tensors of shape [batch, seq], as long as the longest of them."""

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = pad([Encoded(tuple(row["input_ids"]), tuple(row["labels"])) for row in rows], self._pad_id)
        return {
            "input_ids": torch.tensor(batch.ids),
            "attention_mask": torch.tensor(batch.mask),
            "labels": torch.tensor(batch.labels),
        }


class RunTrainer(Unpickled, SFTTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""

    tokens_seen = 0
    """Tokens of all workers, prompts included and padding not, since this process began."""

    sharded = False
    """Whether the workers share the base out among themselves."""

    pull: Callable[[Iterable[tuple[str, torch.nn.Parameter]], float], None] | None = None
    """Adds to the gradients of a step, which are multiplied by the number given, before they are shortened."""

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The loss that is told is of the data alone."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.pull is not None and self.accelerator.sync_gradients:
            scaler = getattr(self.accelerator, "scaler", None)
            self.pull(self.model.named_parameters(), float(scaler.get_scale()) if scaler is not None else 1.0)
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Summed over labels, divided by how many the whole optimizer step has on all workers."""
        layout = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask", "labels")}
        mask = inputs.get("attention_mask")
        losses = response_nll(model, inputs["input_ids"], mask, inputs["labels"], **layout)
        seen = torch.tensor(inputs["input_ids"].numel(), device=losses.device) if mask is None else mask.sum()
        self.tokens_seen += int(self.accelerator.gather(seen).sum())
        # Gradients are averaged over workers afterwards, so what is divided by all workers' tokens is scaled back up.
        return losses.sum() * self.accelerator.num_processes / num_items_in_batch

    def _wrap_model(self, model: Any, training: bool = True, dataloader: Any = None) -> Any:
        """Accelerate refuses to average what lies beside sharded weights, so that is done here, as Accelerate would."""
        if not (self.sharded and training) or model is not self.model:
            return super()._wrap_model(model, training, dataloader)
        return shared_out(self.accelerator.prepare_model(model, device_placement=False, evaluation_mode=True))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log({**logs, "num_tokens": self.tokens_seen}, start_time)

"""TRL's SFT trainer, with our order of examples and with checkpoints that hold no pickle.

The trainer's own checkpoints hold torch pickles (optimizer.pt, scheduler.pt, rng_state.pth, training_args.bin). The
methods that write and read them are replaced here; nothing else of the trainer is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTConfig, SFTTrainer

from services.training.adapters.models import response_nll
from services.training.adapters.states import load_state, random_state, save_state, set_random_state
from services.training.stages.examples import Encoded, pad
from services.training.stages.order import epoch_order
from services.training.stages.packing import Row, flatten
from services.training.stages.precision import Precision
from services.training.stages.schedule import StepPlan
from shared.contracts.recipes import TrainingRecipe

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


def trainer_settings(recipe: TrainingRecipe, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool) -> SFTConfig:
    """A recipe in the trainer's own words."""
    return SFTConfig(
        output_dir=str(directory), max_steps=plan.total, warmup_steps=plan.warmup, seed=recipe.seed, data_seed=recipe.seed,
        per_device_train_batch_size=recipe.batch_size, gradient_accumulation_steps=recipe.gradient_accumulation,
        learning_rate=recipe.learning_rate, lr_scheduler_type=SCHEDULES[recipe.schedule], weight_decay=recipe.weight_decay,
        optim=recipe.optimizer, max_grad_norm=recipe.max_gradient_norm,
        bf16=precision == "bf16", fp16=precision == "fp16", use_cpu=on_cpu,
        gradient_checkpointing=False, dataloader_pin_memory=not on_cpu, max_length=None, packing=False,
        remove_unused_columns=False,
        logging_steps=1, logging_first_step=True, save_strategy="steps", save_steps=recipe.checkpoint_steps,
        save_total_limit=1, average_tokens_across_devices=True, logging_nan_inf_filter=False,
        report_to="none", disable_tqdm=True,
    )  # fmt: skip


class EpochSampler(Sampler[int]):  # type: ignore[misc]
    """Examples in the order of their epoch; the trainer says which epoch it is."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(epoch_order(self._lengths, self._batch_size, self._seed, self._epoch))


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


class RunTrainer(SFTTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""

    tokens_seen = 0
    """Tokens of all workers, prompts included and padding not, since this process began."""

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

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log({**logs, "num_tokens": self.tokens_seen}, start_time)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        return EpochSampler(lengths, self.args.per_device_train_batch_size, self.args.seed)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: a card is written where the model is published, if at all."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:
            self.model.save_pretrained(output_dir or self.args.output_dir, state_dict=state_dict)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.args.should_save:
            save_state(Path(output_dir), "optimizer", self.optimizer.state_dict())
            save_state(Path(output_dir), "scheduler", self.lr_scheduler.state_dict())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self.optimizer.load_state_dict(_found(checkpoint, "optimizer"))
            self.lr_scheduler.load_state_dict(_found(checkpoint, "scheduler"))

    def _save_scaler(self, output_dir: str) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if scaler is not None and self.args.should_save:
            save_state(Path(output_dir), "scaler", scaler.state_dict())

    def _load_scaler(self, checkpoint: str | None) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if scaler is not None and checkpoint is not None:
            scaler.load_state_dict(_found(checkpoint, "scaler"))

    def _save_rng_state(self, output_dir: str) -> None:
        save_state(Path(output_dir), self._random_name(), random_state())

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            set_random_state(_found(checkpoint, self._random_name()))

    def _random_name(self) -> str:
        return f"random-{self.args.process_index}"


def _found(checkpoint: str, name: str) -> Any:
    state = load_state(Path(checkpoint), name)
    if state is None:
        raise ValueError(f"the checkpoint holds no state of the {name}")
    return state

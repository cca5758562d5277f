"""What every trainer of a run does its own way: the order of its rows, and checkpoints that hold no pickle.

The trainers' own checkpoints hold torch pickles (optimizer.pt, scheduler.pt, rng_state.pth, training_args.bin). The
methods that write and read them are replaced here; nothing else of the trainers is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Sampler

from services.training.adapters.states import load_state, random_state, save_state, set_random_state
from services.training.stages.order import epoch_order

LEARNING = "default"
"""PEFT's name for the adapter that learns; another that lies beside it is no part of what was made."""


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


class Unpickled:
    """To be named before a trainer among a class's bases."""

    args: Any
    model: Any
    optimizer: Any
    lr_scheduler: Any
    accelerator: Any
    train_dataset: Any

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        self._order = self._order_of(train_dataset if train_dataset is not None else self.train_dataset)
        return self._order

    def _order_of(self, rows: Any) -> EpochSampler:
        lengths = [len(ids) for ids in rows["input_ids"]]
        return EpochSampler(lengths, self.args.per_device_train_batch_size, self.args.seed)

    def _run_epoch(self, *, epoch: int, **given: Any) -> None:
        """Accelerate does not reach the sampler of an epoch that several workers resume in the middle, which lies in one
        wrapper more: it would begin in the first epoch's order."""
        self._order.set_epoch(epoch)
        super()._run_epoch(epoch=epoch, **given)  # type: ignore[misc]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: a card is written where the model is published, if at all."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:
            self.model.save_pretrained(output_dir or self.args.output_dir, state_dict=state_dict, selected_adapters=[LEARNING])

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

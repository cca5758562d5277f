"""Direct preference optimization (Rafailov et al. 2023) by TRL's trainer, on pairs that we laid out, against a frozen reference
that shares the base's weights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from services.training.adapters.scores import batches, summed_nll
from services.training.adapters.trainer import run_settings
from services.training.adapters.unpickled import LEARNING, Unpickled
from services.training.stages.examples import Encoded
from services.training.stages.packing import Row
from services.training.stages.pairs import pair_of
from services.training.stages.precision import Precision
from services.training.stages.schedule import StepPlan
from shared.contracts.alignment import DPO
from shared.contracts.recipes import TrainingRecipe

REFERENCE = "ref"
"""TRL's name for the adapter that it compares with. Where there is none of that name, it compares with the base alone."""
IMPLIED = {"accuracy": "rewards/accuracies", "margin": "rewards/margins"}
GIVEN = {"accuracy": "accuracy", "margin": "margin"}
"""What the trainers log of a step's pairs, by the names of the curve: of implied rewards, and of those a reward model gives."""


def alignment_settings(
    recipe: TrainingRecipe, alignment: DPO, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool
) -> DPOConfig:
    """A recipe in the trainer's own words."""
    losses: dict[str, Any] = {"loss_type": ["sigmoid"]}
    if alignment.imitation:
        losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, alignment.imitation]}
    return DPOConfig(beta=alignment.beta, **losses, **run_settings(recipe, plan, precision, directory, on_cpu))


class PairBatch:
    """Collates rows that hold pairs: all chosen answers, then all rejected ones, padded on the right. [2 * batch, seq]"""

    def __init__(self, pad_id: int) -> None:
        self._padded = DataCollatorForPreference(pad_token_id=pad_id)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        pairs = [pair_of(Row(tuple(row["input_ids"]), (), tuple(row["lengths"]))) for row in rows]
        batch: dict[str, torch.Tensor] = self._padded([
            {"prompt_ids": list(one.prompt), "chosen_ids": list(one.chosen), "rejected_ids": list(one.rejected)}
            for one in pairs
        ])  # fmt: skip
        return batch


class AlignmentTrainer(Unpickled, DPOTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """As it is: the rows are token ids already, in the project's template and with its EOS."""
        return dataset


def hold_reference(model: Any, begins_from_parent: bool) -> None:
    """After the model took its first weights up. Its parent's adapter, exact and frozen; of a run that begins with a fresh
    adapter, the base with no adapter on: TRL's copy of the fresh one, which changes nothing, is dropped."""
    if not begins_from_parent:
        model.delete_adapter(REFERENCE)
        return
    parameters = dict(model.named_parameters())
    for name, learning in parameters.items():
        if f".{LEARNING}." in name:
            held = parameters[name.replace(f".{LEARNING}.", f".{REFERENCE}.")]
            held.data = learning.data.clone()
            held.requires_grad_(False)


@contextmanager
def reference(model: Any) -> Iterator[None]:
    """The model as it was when the run began."""
    if REFERENCE not in model.peft_config:
        with model.disable_adapter():
            yield
        return
    model.set_adapter(REFERENCE)
    try:
        yield
    finally:
        model.set_adapter(LEARNING)


class HeldOutPairs:
    """Implied rewards of pairs that are not learned from: `answers` are the chosen and the rejected one of each in turn. What
    the reference thinks of them is asked once."""

    def __init__(self, model: Any, answers: Sequence[Encoded], beta: float, pad_id: int) -> None:
        self._model = model
        self._answers = answers
        self._beta = beta
        self._pad_id = pad_id
        self._before: list[tuple[float, float]] | None = None

    def measure(self, most: int) -> dict[str, float]:
        """Accuracy and margin over at most so many pairs; nothing where there is none."""
        if not self._answers:
            return {}
        if self._before is None:
            with reference(self._model):
                self._before = self._scores(self._answers)
        pairs = zip(self._scores(self._answers[: 2 * most]), self._before, strict=False)
        margins = [self._beta * ((before[0] - now[0]) - (before[1] - now[1])) for now, before in pairs]
        return {
            "heldout_accuracy": sum(one > 0 for one in margins) / len(margins), "heldout_margin": sum(margins) / len(margins),
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self._answers) // 2

    def _scores(self, answers: Sequence[Encoded]) -> list[tuple[float, float]]:
        """Summed negative log-likelihoods (nats) of chosen and rejected, under the adapter that is on."""
        scores = [0.0] * len(answers)
        for batch in batches(answers):
            told = summed_nll(self._model, [answers[index] for index in batch], self._pad_id, self._model.device)
            for index, nll in zip(batch, told, strict=True):
                scores[index] = nll
        return list(zip(scores[::2], scores[1::2], strict=True))


class HeldOut(Protocol):
    """Pairs that are measured and not learned from."""

    def measure(self, most: int) -> dict[str, float]: ...
    def __len__(self) -> int: ...


def figures(
    heldout: HeldOut, logged: Mapping[str, str], recipe: TrainingRecipe, last: int
) -> Callable[[int, dict[str, Any]], dict[str, float]]:
    """Step and what the trainer logged at it → the point's figures of alignment. All held-out pairs are asked at the last."""
    every = recipe.evaluation_steps

    def at(step: int, logs: dict[str, Any]) -> dict[str, float]:
        told = {name: float(logs[theirs]) for name, theirs in logged.items()}
        if step == last:
            return told | heldout.measure(len(heldout))
        return told | (heldout.measure(recipe.evaluation_examples) if every and step % every == 0 else {})

    return at

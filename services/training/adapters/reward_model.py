"""Reward models by TRL's trainer, on pairs that we laid out: an adapter, and a head that makes a number of an answer."""

import copy
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from services.training.adapters.scores import batches, resting
from services.training.adapters.trainer import run_settings
from services.training.adapters.unpickled import Unpickled
from services.training.stages.examples import Encoded, pad
from services.training.stages.packing import Row
from services.training.stages.pairs import pair_of
from services.training.stages.precision import Precision
from services.training.stages.schedule import StepPlan
from shared.contracts.alignment import RewardModel
from shared.contracts.recipes import TrainingRecipe


def reward_settings(
    recipe: TrainingRecipe, wish: RewardModel, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool
) -> RewardConfig:
    """A recipe in the trainer's own words."""
    return RewardConfig(
        center_rewards_coefficient=wish.center or None, disable_dropout=False,
        **run_settings(recipe, plan, precision, directory, on_cpu),
    )  # fmt: skip


def padding(eos: int) -> int:
    """An id to pad with that no answer ends in. The head reads the last position that is no padding, and in many tokenizers
    EOS is the pad token: it would read the word before the end, of an answer that ended as of one that did not."""
    return 1 if eos == 0 else 0


class RewardPairs:
    """Collates rows that hold pairs: all chosen answers after their prompts, then all rejected ones. [2 * batch, seq]"""

    def __init__(self, eos: int) -> None:
        self._padded = DataCollatorForPreference(pad_token_id=padding(eos))

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        pairs = [pair_of(Row(tuple(row["input_ids"]), (), tuple(row["lengths"]))) for row in rows]
        batch: dict[str, torch.Tensor] = self._padded([
            {"chosen_ids": [*one.prompt, *one.chosen], "rejected_ids": [*one.prompt, *one.rejected]} for one in pairs
        ])  # fmt: skip
        return batch


class RewardModelTrainer(Unpickled, RewardTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""

    def __init__(self, model: Any, *, processing_class: Any, **told: Any) -> None:
        """The trainers make the tokenizer's pad token the model's, so they are given one whose pad token is ours."""
        padded = copy.deepcopy(processing_class)
        padded.pad_token = padded.convert_ids_to_tokens(padding(int(padded.eos_token_id)))
        super().__init__(model, processing_class=padded, **told)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """As it is: the rows are token ids already, in the project's template and with its EOS."""
        return dataset


class HeldOutRewards:
    """Rewards of pairs that are not learned from: `answers` are the chosen and the rejected one of each in turn."""

    def __init__(self, model: Any, answers: Sequence[Encoded], eos: int) -> None:
        self._model = model
        self._answers = answers
        self._pad = padding(eos)

    def measure(self, most: int) -> dict[str, float]:
        """Accuracy and margin over at most so many pairs, and where the rewards lie; nothing where there is none."""
        if not self._answers:
            return {}
        found = self._rewards(self._answers[: 2 * most])
        margins = [chosen - rejected for chosen, rejected in zip(found[::2], found[1::2], strict=True)]
        return {
            "heldout_accuracy": sum(one > 0 for one in margins) / len(margins), "heldout_margin": fmean(margins),
            "heldout_mean": fmean(found), "heldout_deviation": pstdev(found),
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self._answers) // 2

    def _rewards(self, answers: Sequence[Encoded]) -> list[float]:
        rewards = [0.0] * len(answers)
        with resting(self._model), torch.inference_mode():
            for batch in batches(answers):
                padded = pad([answers[index] for index in batch], self._pad)
                ids, mask = (torch.tensor(rows, device=self._model.device) for rows in (padded.ids, padded.mask))
                told = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits.squeeze(-1).float()
                for index, reward in zip(batch, told.tolist(), strict=True):
                    rewards[index] = reward
        return rewards

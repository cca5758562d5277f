"""What each Ray Train worker does: load the base, take up the newest checkpoint, train to the last step."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft.helpers import disable_input_dtype_casting
from transformers import PrinterCallback

from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.grouped import GRPORun, RLOORun, group_figures, group_settings, prompts_of
from services.training.adapters.jobs import CURVE, Job, RowTable
from services.training.adapters.keeping import Keeper
from services.training.adapters.ppo.loop import train as reinforce
from services.training.adapters.preferences import (
    GIVEN,
    IMPLIED,
    AlignmentTrainer,
    HeldOutPairs,
    PairBatch,
    alignment_settings,
    figures,
    hold_reference,
)
from services.training.adapters.recorder import RunRecorder, facts_of
from services.training.adapters.reward_model import HeldOutRewards, RewardModelTrainer, RewardPairs, reward_settings
from services.training.adapters.scorer import Scorer
from services.training.adapters.scores import heldout_loss
from services.training.adapters.trainer import FlatRows, PadBatch, RunTrainer, trainer_settings
from services.training.curves import read_curve
from services.training.stages.schedule import StepPlan, plan_steps
from shared.bases import fetch_base
from shared.contracts.alignment import DPO, GRPO, RLOO, RewardModel
from shared.contracts.learning import LossPoint
from shared.objects import open_store


def train(
    job: Job, table: RowTable, rank: int, device: torch.device, tell: Callable[[LossPoint], None],
    begins_from: bytes | None = None,
) -> None:  # fmt: skip
    """Train until the last checkpoint stands in the object store, from wherever an earlier attempt left off; the first
    begins with a fresh adapter, or with the weights in `begins_from` (safetensors)."""
    if device.type == "cpu":
        torch.set_num_threads(job.threads)
    if job.recipe.ppo is not None:
        reinforce(job, job.recipe.ppo, table.examples(), device, tell, begins_from)
        return
    directory = job.work / f"worker-{rank}"
    store = open_store(job.settings)
    checkpoints = Checkpoints(store, job.run, job.settings.checkpoints_kept)
    latest = checkpoints.fetch_latest(directory)
    plan = plan_steps(job.recipe, len(table.ends))
    step, checkpoint = latest or (0, None)
    curve = read_curve(checkpoint / CURVE) if checkpoint else []
    if rank == 0:
        for point in curve:
            tell(point)
    if step >= plan.total:
        return
    base = fetch_base(store, job.base_name, job.settings.cache_dir)
    loaded = models.load_for_rewards if job.recipe.scores else models.load_for_training
    model = loaded(base, job.recipe, job.precision, device)
    tokenizer = pretrained.load_tokenizer(base)
    recorder = RunRecorder(
        checkpoints, curve, facts_of(model, job, device, step), device, tell, _heldout_loss(model, job, tokenizer.eos_token_id),
        _figures(model, job, tokenizer.eos_token_id, plan.total), together=job.recipe.sharding == "full",
    )  # fmt: skip
    keeper = Keeper.of(job, plan.total, tokenizer.eos_token_id, checkpoint)
    trainer = _trainer(job, model, tokenizer, plan, directory)(
        train_dataset=_dataset(job, table), processing_class=tokenizer, callbacks=[*([keeper] if keeper else []), recorder]
    )
    models.keep_adapter_in_fp32(trainer.model)
    if begins_from is not None:
        models.take_up(trainer.model, begins_from)
    if isinstance(job.recipe.alignment, DPO | GRPO | RLOO):
        hold_reference(trainer.model, begins_from_parent=begins_from is not None)
    if job.recipe.grouped is not None:
        recorder.follow(group_figures(trainer, job.recipe.grouped, curve))
        if job.judge is not None:
            around = trainer.accelerator.autocast
            trainer.scorer = Scorer(trainer.model, job.judge, tokenizer.eos_token_id, around)
    if keeper is not None:
        trainer.pull = keeper.pull
    trainer.sharded = job.recipe.sharding == "full"
    trainer.remove_callback(PrinterCallback)
    # Autocast casts what an adapter needs; PEFT's own cast would keep a second copy, in fp32, of every layer's input.
    with disable_input_dtype_casting(trainer.model, active=job.precision != "fp32"):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _trainer(job: Job, model: Any, tokenizer: Any, plan: StepPlan, directory: Path) -> Callable[..., Any]:
    """The trainer of the recipe's method, but for what every trainer is given."""
    told = (plan, job.precision, directory, model.device.type == "cpu")
    match job.recipe.paired:
        case DPO() as wish:
            arguments = alignment_settings(job.recipe, wish, *told)
            return partial(AlignmentTrainer, model, args=arguments, data_collator=PairBatch(tokenizer.eos_token_id))
        case RewardModel() as wish:
            arguments = reward_settings(job.recipe, wish, *told)
            return partial(RewardModelTrainer, model, args=arguments, data_collator=RewardPairs(tokenizer.eos_token_id))
    if (groups := job.recipe.grouped) is not None:
        kind = GRPORun if isinstance(groups, GRPO) else RLOORun
        return partial(kind, model, args=group_settings(job.recipe, groups, *told), wish=groups)
    collator = PadBatch(tokenizer.eos_token_id) if job.packing == "none" else FlatRows()
    return partial(RunTrainer, model, args=trainer_settings(job.recipe, *told), data_collator=collator)


def _dataset(job: Job, table: RowTable) -> Dataset:
    if job.recipe.grouped is not None:
        return prompts_of(table.examples())
    cuts, groups = table.ends[:-1], table.counts[:-1]
    return Dataset.from_dict({
        "input_ids": np.split(table.ids, cuts), "labels": np.split(table.labels, cuts),
        "lengths": np.split(table.lengths, groups),
    })  # fmt: skip


def _heldout_loss(model: Any, job: Job, pad_id: int) -> Callable[[int], float | None]:
    """Step → mean loss over the held-out examples, at the steps at which the recipe wants it."""
    every = job.recipe.evaluation_steps if job.recipe.paired is None else None

    def at(step: int) -> float | None:
        return heldout_loss(model, job.heldout, pad_id) if every and job.heldout and step % every == 0 else None

    return at


def _figures(model: Any, job: Job, pad_id: int, last: int) -> Callable[[int, dict[str, Any]], dict[str, float]]:
    match job.recipe.paired:
        case DPO(beta=beta):
            return figures(HeldOutPairs(model, job.heldout, beta, pad_id), IMPLIED, job.recipe, last)
        case RewardModel():
            return figures(HeldOutRewards(model, job.heldout, pad_id), GIVEN, job.recipe, last)
    return lambda step, logs: {}

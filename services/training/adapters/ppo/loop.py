"""A run by PPO on one worker: step by step from wherever an earlier attempt left off, each step a function of the seed, its
number and the state at its beginning alone, so that a resumed run is the undisturbed one."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting
from safetensors.torch import load
from transformers import Trainer, get_scheduler

from services.training.adapters import machine, models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import CURVE, Diverged, Job, Unscorable
from services.training.adapters.ppo.learning import Experience, Learner, experience, targets
from services.training.adapters.ppo.policy import Policy
from services.training.adapters.ppo.sampling import Rollout, prompt_of, sample
from services.training.adapters.ppo.saving import Saver, taken_up
from services.training.adapters.recorder import facts_of
from services.training.adapters.scorer import Scorer
from services.training.adapters.trainer import SCHEDULES, trainer_settings
from services.training.curves import read_curve
from services.training.stages.examples import IGNORED, Encoded
from services.training.stages.order import epoch_order
from services.training.stages.ppo.coefficient import Adaptive, Coefficient, Fixed
from services.training.stages.ppo.rewards import score
from services.training.stages.ppo.runaway import runs_away
from services.training.stages.schedule import StepPlan, plan_steps
from shared.bases import fetch_base
from shared.contracts.learning import LossPoint
from shared.contracts.ppo import PPO
from shared.errors import Unsupported
from shared.objects import open_store
from shared.telemetry import log

RUNAWAY = 2.0
"""A divergence of so many times its target is far; it is warned of where it still grows."""


def train(
    job: Job, ppo: PPO, examples: Sequence[Encoded], device: torch.device, tell: Callable[[LossPoint], None],
    begins_from: bytes | None = None,
) -> None:  # fmt: skip
    """Train until the last checkpoint stands in the object store. Of an example its prompt is asked; its own answer is only
    what a rule may compare with."""
    store = open_store(job.settings)
    checkpoints = Checkpoints(store, job.run, job.settings.checkpoints_kept)
    latest = checkpoints.fetch_latest(job.work / "worker-0")
    curve = read_curve(latest[1] / CURVE) if latest else []
    for point in curve:
        tell(point)
    plan = plan_steps(job.recipe, len(examples))
    if latest and latest[0] >= plan.total:
        return
    base = fetch_base(store, job.base_name, job.settings.cache_dir)
    session = Session.opened(job, ppo, base, device, plan, begins_from)
    if latest:
        session.coefficient = taken_up(latest[1], session.policy, session.optimizer, session.scheduler, session.coefficient)
    facts = facts_of(session.policy.model, job, device, latest[0] if latest else 0)
    saver = Saver(checkpoints, job.work / "worker-0", facts)
    session.curve.extend(curve)
    with disable_input_dtype_casting(session.policy.model, active=job.precision != "fp32"):
        for step in range(len(curve) + 1, plan.total + 1):
            point = session.step(step, examples)
            tell(point)
            if step % job.recipe.checkpoint_steps == 0 or step == plan.total:
                saver.save(step, session.policy, session.optimizer, session.scheduler, session.coefficient, session.curve)


@dataclass(slots=True)
class Session:
    """What a run holds between its steps."""

    job: Job
    ppo: PPO
    device: torch.device
    plan: StepPlan
    tokenizer: Any
    policy: Policy
    optimizer: Any
    scheduler: Any
    coefficient: Coefficient
    scorer: Scorer | None = None
    curve: list[LossPoint] = field(default_factory=list)

    @classmethod
    def opened(
        cls, job: Job, ppo: PPO, base: Path, device: torch.device, plan: StepPlan, begins_from: bytes | None
    ) -> "Session":  # fmt: skip
        model = models.load_for_training(base, job.recipe, job.precision, device)
        models.keep_adapter_in_fp32(model)
        if begins_from is not None:
            models.take_up(model, begins_from)
        policy = Policy(model, None if begins_from is None else load(begins_from))
        settings = trainer_settings(job.recipe, plan, job.precision, job.work, on_cpu=device.type == "cpu")
        optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(settings)
        learning = [one for one in policy.parameters() if one.requires_grad]
        optimizer = optimizer_class(learning, weight_decay=job.recipe.weight_decay, **options)
        scheduler = get_scheduler(SCHEDULES[job.recipe.schedule], optimizer, plan.warmup, plan.total)
        first = ppo.kl_coefficient
        coefficient = Fixed(first) if ppo.kl == "fixed" else Adaptive(first, ppo.kl_target, ppo.kl_gain)
        tokenizer = pretrained.load_tokenizer(base)
        session = cls(job, ppo, device, plan, tokenizer, policy, optimizer, scheduler, coefficient)
        if job.judge is not None:
            session.scorer = Scorer(model, job.judge, tokenizer.eos_token_id, session._around)
        return session

    def step(self, step: int, examples: Sequence[Encoded]) -> LossPoint:
        """Sample, judge, learn, and set the price for the next step. Raises Diverged, Unscorable."""
        began = time.monotonic()
        torch.manual_seed(self.job.recipe.seed * 1_000_003 + step)
        lived = self._live([examples[index] for index in self._batch(step, examples)])
        learner = Learner(
            self.policy, self.optimizer, self.ppo, self.job.recipe.batch_size, self.job.recipe.max_gradient_norm, self._around
        )
        price = self.coefficient.value
        told = learner.learn(lived, targets(lived, self.ppo, price), self.job.recipe.gradient_checkpointing)
        if not math.isfinite(told["loss"]):
            raise Diverged(f"the loss is {told['loss']} at step {step}")
        rate = float(self.scheduler.get_last_lr()[0])
        self.scheduler.step()
        metrics = {**lived.metrics(), **told, "kl_coefficient": price}
        self.coefficient = self.coefficient.after(metrics["kl"])
        return self._point(step, rate, metrics, lived.rollout.tokens, time.monotonic() - began)

    def _batch(self, step: int, examples: Sequence[Encoded]) -> list[int]:
        """Which examples are asked: the order of each epoch is its own."""
        epoch, place = divmod(step - 1, self.plan.per_epoch)
        size = self.job.recipe.batch_size * self.job.recipe.gradient_accumulation
        order = epoch_order([len(one.ids) for one in examples], self.job.recipe.batch_size, self.job.recipe.seed, epoch)
        return order[place * size : (place + 1) * size]

    def _live(self, asked: Sequence[Encoded]) -> Experience:
        with self._around():
            rollout = sample(
                self.policy, [prompt_of(one) for one in asked], self.tokenizer.eos_token_id, self.ppo.answer_tokens
            )
            return experience(self.policy, rollout, self._scores(rollout, asked), self.job.recipe.batch_size)

    def _scores(self, rollout: Rollout, asked: Sequence[Encoded]) -> list[float]:
        judged = self.scorer.rewards([prompt_of(one) for one in asked], rollout.answers) if self.scorer else [0.0] * len(asked)
        try:
            return [
                score(self._text(said), self._text(_wanted(one)), self.ppo.rewards, reward)
                - (not ended) * self.ppo.unended_penalty
                for one, said, ended, reward in zip(asked, rollout.answers, rollout.ended, judged, strict=True)
            ]
        except Unsupported as error:
            raise Unscorable(str(error)) from error

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _around(self) -> Any:
        if self.job.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, models.DTYPES[self.job.precision])

    def _point(self, step: int, rate: float, metrics: dict[str, float], tokens: int, seconds: float) -> LossPoint:
        last = self.curve[-1] if self.curve else None
        loss = metrics.pop("loss")
        point = LossPoint(
            step=step, epoch=step / self.plan.per_epoch, loss=loss, learning_rate=rate,
            tokens=tokens + (last.tokens if last else 0), seconds=seconds + (last.seconds if last else 0.0),
            memory_bytes=machine.peak_memory_bytes(self.device), metrics={**metrics, "kl_warning": 0.0},
        )  # fmt: skip
        self.curve.append(self._warned(point))
        return self.curve[-1]

    def _warned(self, point: LossPoint) -> LossPoint:
        series = [one.metrics for one in (*self.curve, point)]
        limit = RUNAWAY * self.ppo.kl_target
        if not runs_away([one["reward"] for one in series], [one["kl"] for one in series], limit):
            return point
        log().warning("ppo.kl_runs_away", step=point.step, reward=point.metrics["reward"], kl=point.metrics["kl"], limit=limit)
        return point.model_copy(update={"metrics": {**point.metrics, "kl_warning": 1.0}})


def _wanted(example: Encoded) -> list[int]:
    return [label for label in example.labels if label != IGNORED]

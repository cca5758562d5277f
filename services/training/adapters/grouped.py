"""GRPO and RLOO by TRL's trainers: on prompts that we laid out, against our reference, and each step's answers a function of
the seed, its number and the state at its beginning alone, so that a resumed run is the undisturbed one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset
from transformers import GenerationConfig
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from services.training.adapters.jobs import Unscorable
from services.training.adapters.ppo.sampling import prompt_of
from services.training.adapters.preferences import reference
from services.training.adapters.scorer import Scorer
from services.training.adapters.trainer import run_settings
from services.training.adapters.unpickled import EpochSampler, Unpickled
from services.training.stages.examples import IGNORED, Encoded
from services.training.stages.ppo.advantages import masked_mean
from services.training.stages.ppo.divergence import an_answer, k1, k3
from services.training.stages.ppo.rewards import score
from services.training.stages.ppo.runaway import runs_away
from services.training.stages.precision import Precision
from services.training.stages.schedule import StepPlan
from shared.contracts.alignment import GRPO, RLOO
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Unsupported
from shared.telemetry import log


def group_settings(
    recipe: TrainingRecipe, wish: GRPO | RLOO, plan: StepPlan, precision: Precision, directory: Path, on_cpu: bool
) -> GRPOConfig | RLOOConfig:
    """A recipe in the trainers' own words. Answers are drawn from the policy itself: nothing cut off it or sharpened."""
    told = run_settings(recipe, plan, precision, directory, on_cpu)
    del told["max_length"]  # prompts that leave no room for an answer were refused
    told |= {
        "num_generations": wish.generations, "max_completion_length": wish.answer_tokens, "beta": wish.kl_coefficient,
        "num_iterations": wish.passes, "epsilon": wish.clip, "steps_per_generation": recipe.gradient_accumulation,
        "temperature": 1.0, "top_p": 1.0, "top_k": 0,
    }  # fmt: skip
    if isinstance(wish, GRPO):
        return GRPOConfig(scale_rewards=wish.scale, **told)
    return RLOOConfig(**told)


def prompts_of(examples: Sequence[Encoded]) -> Dataset:
    """Prompts, and the dataset's own answers, which a rule may compare with."""
    wanted = [[label for label in one.labels if label != IGNORED] for one in examples]
    return Dataset.from_dict({"prompt": [list(prompt_of(one)) for one in examples], "wanted": wanted})


class GroupSampler(EpochSampler):
    """Each epoch's prompts in an order of its own, `asked` at a time: each `generations` times over for its answers, and all of
    them as often as their batch is drawn. The last batch of an epoch is filled up from its beginning."""

    def __init__(self, lengths: Sequence[int], asked: int, generations: int, drawn: int, seed: int) -> None:
        super().__init__(lengths, asked, seed)
        self._asked = asked
        self._generations = generations
        self._drawn = drawn

    def __len__(self) -> int:
        return -(-super().__len__() // self._asked) * self._asked * self._generations * self._drawn

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        for start in range(0, len(order), self._asked):
            batch = [order[at % len(order)] for at in range(start, start + self._asked)]
            for _ in range(self._drawn):
                yield from (one for one in batch for _ in range(self._generations))


class Grouping(Unpickled):
    """What both trainers do our way. To be named before one of them among a class's bases."""

    state: Any
    processing_class: Any
    num_generations: int
    num_iterations: int
    _metrics: Any
    _get_per_token_logps_and_entropies: Any

    def __init__(self, model: Any, *, wish: GRPO | RLOO, **told: Any) -> None:
        model.generation_config = GenerationConfig()  # whatever the base's authors sample with
        self._wish = wish
        self._tokens = 0
        self._scores: list[float] = []
        self._ended = 0.0
        self.scorer: Scorer | None = None
        self.told: dict[str, float] = {}
        super().__init__(model, reward_funcs=self._score, **told)  # type: ignore[call-arg]

    def _order_of(self, rows: Any) -> EpochSampler:
        lengths = [len(ids) for ids in rows["prompt"]]
        asked = self.args.generation_batch_size // self.num_generations
        drawn = self.num_iterations * self.args.steps_per_generation
        return GroupSampler(lengths, asked, self.num_generations, drawn, self.args.seed)

    def _tokenize_prompts(self, prompts: list[list[int]]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """As they are: token ids already, in the project's template."""
        return prompts, None, {}

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        torch.manual_seed(self.args.seed * 1_000_003 + self.state.global_step + 1)
        with self.accelerator.autocast():  # the trainers' own covers no answers that are written
            made: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        self.told = self._judged(made)
        return made

    def _judged(self, made: dict[str, Any]) -> dict[str, float]:
        """What was drawn, by policy and reference: the figures that every run which learns from rewards tells."""
        ids = torch.cat([made["prompt_ids"], made["completion_ids"]], dim=1)
        attention = torch.cat([made["prompt_mask"], made["completion_mask"]], dim=1)
        mask = made["completion_mask"].bool()
        ask = (ids, attention, mask.shape[1], self.args.per_device_train_batch_size)
        with torch.no_grad():
            logs, entropy, _ = self._get_per_token_logps_and_entropies(self.model, *ask, compute_entropy=True)
            with reference(self.model):
                before, _, _ = self._get_per_token_logps_and_entropies(self.model, *ask)
        self._tokens += int(attention.sum())
        return {
            "reward": fmean(self._scores), "kl": an_answer(k1(logs, before), mask), "kl_k3": an_answer(k3(logs, before), mask),
            "entropy": float(masked_mean(entropy, mask)), "answer_tokens": float(mask.sum(dim=1).float().mean()),
            "ended": self._ended,
        }  # fmt: skip

    def _score(
        self, prompts: list[list[int]], completion_ids: list[list[int]], wanted: list[list[int]], **_: Any
    ) -> list[float]:
        """A score an answer. Raises Unscorable."""
        eos = int(self.processing_class.eos_token_id)
        ended = [one[-1] == eos for one in completion_ids]
        answers = [one[:-1] if over else one for one, over in zip(completion_ids, ended, strict=True)]
        judged = self.scorer.rewards(prompts, answers) if self.scorer else [0.0] * len(answers)
        try:
            self._scores = [
                score(self._text(said), self._text(theirs), self._wish.rewards, reward)
                - (not over) * self._wish.unended_penalty
                for said, theirs, reward, over in zip(answers, wanted, judged, ended, strict=True)
            ]
        except Unsupported as error:
            raise Unscorable(str(error)) from error
        self._ended = fmean(ended)
        return self._scores

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.processing_class.decode(ids, skip_special_tokens=True))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tokens of this process alone: those before it stand in the curve."""
        self._metrics["train"]["num_tokens"] = [self._tokens]
        super().log(logs, start_time)  # type: ignore[misc]


class GRPORun(Grouping, GRPOTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""


class RLOORun(Grouping, RLOOTrainer):  # type: ignore[misc]
    """The trainer of one run on one worker."""


def group_figures(
    trainer: Grouping, wish: GRPO | RLOO, curve: Sequence[LossPoint]
) -> Callable[[int, dict[str, Any]], dict[str, float]]:
    """Step and what the trainer logged at it → the point's figures, with the warning that every reward's run has."""
    rewards, divergences = ([one.metrics[name] for one in curve] for name in ("reward", "kl"))

    def at(step: int, logs: dict[str, Any]) -> dict[str, float]:
        told = trainer.told
        rewards.append(told["reward"])
        divergences.append(told["kl"])
        warned = runs_away(rewards, divergences, wish.kl_limit)
        if warned:
            log().warning("groups.kl_runs_away", step=step, reward=told["reward"], kl=told["kl"], limit=wish.kl_limit)
        return told | {
            "clipped": float(logs["clip_ratio/region_mean"]), "gradient": float(logs["grad_norm"]),
            "kl_coefficient": wish.kl_coefficient, "kl_warning": float(warned),
        }  # fmt: skip

    return at

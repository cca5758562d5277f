"""An aligned run from its message to its model, through the real runner, Ray and child processes."""

import json
from pathlib import Path

import pytest

from shared import layout
from shared.contracts.learning import EvaluationResult, RunWish, TrainingResult
from shared.contracts.preferences import PreferenceParameters, PreferenceSet
from shared.contracts.recipes import Alignment
from shared.contracts.work import RunWork
from shared.ids import run_job, short
from shared.objects import ObjectStore, Series, create_contract
from shared.pipeline import EVALUATION, TRAINING, training_key
from shared.results import committed
from tests.unit.training import test_handlers
from tests.unit.training.test_alignment import preferences
from tests.unit.training.test_handlers import RECIPE, World
from tests.unit.training.world import publish_tiny

world = test_handlers.world
"""The fixture."""

ALIGNED = RECIPE.model_copy(
    update={"alignment": Alignment(beta=0.2), "max_steps": 12, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_steps": 4}
)
SET = "5" * 64


def put_preferences(store: ObjectStore, scratch: Path, redactions: tuple[str, ...] = ()) -> PreferenceSet:
    files = {}
    for name, rows in (("train.jsonl", preferences(24)), ("heldout.jsonl", preferences(6, seed=1))):
        path = scratch / name
        path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
        files[name] = store.upload(layout.preference_file(short(SET), "made", name), path)
    made = PreferenceSet(
        key=SET, name="pairs", version=1, source="file", parameters=PreferenceParameters(), pairs=24, heldout=6, prompts=30,
        files=files, redactions=redactions, created_at="t",
    )  # fmt: skip
    Series(store, layout.preference_set(short(SET))).append(made)
    return made


def ask(world: World, base_digest: str) -> RunWork:
    key = training_key(world.dataset.key, ALIGNED, base_digest, preferences=SET)
    wish = RunWish(
        key=key, name="aligned", dataset=short(world.dataset.key), recipe=ALIGNED, base_digest=base_digest,
        preferences=short(SET), created_at="t",
    )  # fmt: skip
    create_contract(world.store, layout.run(short(key)), wish)
    world.catalog.put_run(wish)
    return world.queue_up(RunWork(job=run_job(short(key)), trace="t", run=key))


def test_an_aligned_run_leaves_a_model_as_every_run_does(world: World, tiny_base: Path, tmp_path: Path) -> None:
    digest = publish_tiny(world.store, tiny_base)
    put_preferences(world.store, tmp_path)
    work = ask(world, digest)
    assert world.train(work) == "done"
    trained = committed(world.store, TRAINING.name, work.run)
    assert trained is not None
    assert {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "curve.jsonl"} <= set(trained.files)
    result = TrainingResult.model_validate(trained.result)
    assert result.alignment is not None and result.steps == 12
    told = result.alignment
    assert (told.method, told.pairs, told.heldout_pairs) == ("dpo", 24, 6)
    assert told.heldout_accuracy is not None and told.heldout_accuracy > 0.8 and result.last_loss < result.first_loss
    curve = [json.loads(line) for line in world.store.read(trained.files["curve.jsonl"].path).splitlines()]
    assert curve[-1]["metrics"]["accuracy"] > 0.8 and curve[-1]["metrics"]["heldout_margin"] == told.heldout_margin
    assert world.evaluate(work) == "done"
    measured = committed(world.store, EVALUATION.name, EVALUATION.key(work))
    assert measured is not None and EvaluationResult.model_validate(measured.result).sets, "measured on what is held out"
    progress = [event.data for event in world.catalog.events(work.job, 0) if event.kind == "progress"]
    assert any("margin" in one.get("fields", {}) for one in progress if one["stage"] == TRAINING.name)


@pytest.mark.parametrize("standing", ["gone", "redacted"])
def test_a_set_that_changed_since_is_not_aligned_with(
    world: World,
    tiny_base: Path,
    tmp_path: Path,
    standing: str,
) -> None:
    digest = publish_tiny(world.store, tiny_base)
    if standing == "redacted":
        put_preferences(world.store, tmp_path, redactions=("d" * 64,))
    work = ask(world, digest)
    assert world.train(work) == "failed"
    assert world.reason(work) == "preferences-changed"

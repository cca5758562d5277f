"""A run from its message to its model, through the real runner, Ray and child processes."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from peft import PeftModel
from redis import Redis
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.training.adapters import machine, pretrained
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.curves import read_curve
from services.training.handlers import handlers, held_out
from services.training.settings import TrainingSettings
from services.training.stages.examples import encode
from services.training.stages.packing import rows_of
from shared import layout
from shared.bases import read_base
from shared.catalog.protocol import NewJob
from shared.catalog.sql import SqlCatalog
from shared.contracts.datasets import ReplayParameters
from shared.contracts.learning import (
    DatasetParameters,
    DatasetWish,
    EvaluationResult,
    LossPoint,
    Parent,
    RunWish,
    TrainingResult,
)
from shared.contracts.recipes import Continual, TrainingRecipe
from shared.contracts.work import Rejected, RunWork
from shared.ids import run_job, short
from shared.objects import ObjectStore
from shared.pipeline import EVALUATION, TRAINING
from shared.queue import CeleryQueue, RedisLeases, celery_app
from shared.results import committed, output_path
from shared.runner import Runner
from shared.stage import StageContext
from shared.template import ALPACA
from tests.servers import Valkey, wait_until
from tests.unit.training.sharing import Run
from tests.unit.training.told import board_losses, offline_steps
from tests.unit.training.world import NAME, examples, publish_tiny, put_dataset, put_run, read_json_lines

TRAIN, HELDOUT = examples(24), examples(9, seed=1)
RECIPE = TrainingRecipe(
    base=NAME, batch_size=2, gradient_accumulation=2, max_steps=60, lora_r=4, learning_rate=1e-2, checkpoint_steps=10
)


class World:
    """A runner on real parts, and a run that was asked for."""

    def __init__(
        self, store: ObjectStore, catalog: SqlCatalog, settings: TrainingSettings, redis: Redis, scratch: Path
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.settings = settings
        self.handlers = handlers(store, settings)
        self.runner = Runner(store, catalog, CeleryQueue(celery_app(settings), redis), RedisLeases(redis, 5), settings)
        self.dataset = put_dataset(store, scratch, TRAIN, HELDOUT)

    def ask(self, recipe: TrainingRecipe, base_digest: str, parent: Parent | None = None) -> RunWork:
        run = put_run(self.store, self.dataset, recipe, base_digest, parent)
        return self.queue_up(RunWork(job=run_job(short(run.key)), trace="t", run=run.key))

    def queue_up(self, work: RunWork) -> RunWork:
        self.catalog.put_job(NewJob(work.job, "run", short(work.run), None, TRAINING.name, work, "t"))
        return work

    def train(self, work: RunWork) -> str:
        return self.runner.run(TRAINING, work, self.handlers["training"])

    def evaluate(self, work: RunWork) -> str:
        return self.runner.run(EVALUATION, work, self.handlers["evaluation"])

    def reason(self, work: RunWork) -> str | None:
        found = self.catalog.job(work.job)
        assert found is not None
        return found.code


@pytest.fixture
def world(store: ObjectStore, catalog: SqlCatalog, valkey: Valkey, tmp_path: Path) -> Iterator[World]:
    redis = Redis(port=valkey.port)
    redis.flushall()
    settings = TrainingSettings(
        store_url=f"file://{tmp_path}/store", catalog_url=f"sqlite:///{tmp_path}/catalog.db", queue_url=valkey.url,
        cache_dir=tmp_path / "cache", cpu_threads=1, poll_seconds=0.1,
    )  # fmt: skip
    yield World(store, catalog, settings, redis, tmp_path / "dataset")
    redis.close()


def jobs_of_this_process() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "services.training.job" in one.cmdline()]


class Watcher:
    """Does something, once, when the run has come to a step; remembers the job's processes as they then were."""

    def __init__(self, world: World, work: RunWork, step: int, act: Callable[[psutil.Process], None]) -> None:
        self.processes: list[psutil.Process] = []
        self._thread = threading.Thread(target=self._watch, args=(world, work, step, act), daemon=True)
        self._thread.start()

    def _watch(self, world: World, work: RunWork, step: int, act: Callable[[psutil.Process], None]) -> None:
        while True:
            found = world.catalog.job(work.job)
            if found and found.progress and found.progress.done >= step and (jobs := jobs_of_this_process()):
                self.processes = [jobs[0], *jobs[0].children(recursive=True)]
                act(jobs[0])
                return
            time.sleep(0.05)

    def survivors(self) -> list[psutil.Process]:
        self._thread.join(timeout=1)
        assert len(self.processes) > 3, "Ray runs several processes"
        _, alive = psutil.wait_procs(self.processes, timeout=20)
        return alive


def undisturbed(world: World, base: Path, directory: Path) -> list[LossPoint]:
    """The curve of the same run without Ray and without a worker: what it ought to be."""
    points: list[LossPoint] = []
    encoded = [encode(one, "alpaca", pretrained.load_tokenizer(base)) for one in TRAIN]
    table = RowTable.of(rows_of(encoded, "batch", RECIPE.max_tokens))
    job = Job("f" * 64, NAME, RECIPE, own_precision(), world.settings, 1, directory, "batch")
    train(job, table, 0, torch.device("cpu"), points.append)
    return points


def own_precision() -> str:
    return "bf16" if machine.capabilities().bf16 else "fp32"


def figures(points: list[LossPoint]) -> list[tuple[int, float, float, int]]:
    return [(one.step, one.loss, one.learning_rate, one.tokens) for one in points]


@pytest.mark.slow
def test_a_run_whose_process_is_killed_ends_as_if_it_had_not_been(world: World, tiny_base: Path, tmp_path: Path) -> None:
    trackers = {"tensorboard_dir": tmp_path / "board", "wandb_project": "p", "wandb_offline_dir": tmp_path / "offline"}
    world.handlers = handlers(world.store, world.settings.model_copy(update=trackers))
    work = world.ask(RECIPE, publish_tiny(world.store, tiny_base))
    watcher = Watcher(world, work, 12, lambda job: job.kill())
    assert world.train(work) == "waiting"
    assert world.reason(work) == "job-failed"
    assert watcher.survivors() == []

    assert world.train(work) == "done"
    manifest = committed(world.store, "training", work.run)
    assert manifest is not None
    result = TrainingResult.model_validate(manifest.result)
    assert (result.steps, result.resumed_from_step % 10) == (60, 0)
    assert result.resumed_from_step > 0
    world.store.download(output_path(world.store, "training", work.run, "curve.jsonl"), tmp_path / "curve.jsonl")
    curve = read_curve(tmp_path / "curve.jsonl")
    assert figures(curve) == figures(undisturbed(world, tiny_base, tmp_path / "undisturbed"))
    assert len(read_json_lines(tmp_path / "curve.jsonl")) == 60
    only_figures_were_told(tmp_path, curve)
    assert result.tokens == curve[-1].tokens
    assert result.trainable_parameters == sum(
        value.numel() for value in load_file(fetched(world, work, tmp_path) / "adapter_model.safetensors").values()
    )

    assert world.evaluate(work) == "done"
    manifest = committed(world.store, "evaluation", EVALUATION.key(work))
    assert manifest is not None
    measured = EvaluationResult.model_validate(manifest.result)
    assert set(manifest.files) == {"evaluation.json", "per_example.jsonl"}
    assert measured.base.examples == measured.tuned.examples == len(HELDOUT)
    assert measured.tuned.loss < measured.base.loss
    assert measured.base.loss == pytest.approx(base_loss(tiny_base), rel=0.02)
    own, probes = measured.sets
    assert (own.set, probes.set) == (short(world.dataset.key), "probes")
    assert (own.tuned.loss.value, own.tuned.examples) == (measured.tuned.loss, len(HELDOUT))
    assert own.tuned.loss.low <= own.tuned.loss.value <= own.tuned.loss.high
    assert own.tuned.answers == probes.tuned.answers == 4 and probes.tuned.examples == 32
    # Four greedy answers of so small a model may share no word with the right ones, on some processors: the loss tells.
    assert own.tuned.f1 is not None and own.base.f1 is not None and 1 >= own.tuned.f1.value >= own.base.f1.value >= 0
    assert not list(world.store.list("checkpoints/" + work.run)), "nobody will resume what is done"
    assert world.catalog.model("run") is not None


def only_figures_were_told(tmp_path: Path, curve: list[LossPoint]) -> None:
    """Each step once, and no word of an example, a document's name or a dataset's, in whatever the trackers were told."""
    (board,), (offline,) = tmp_path.glob("board/*/events.*"), tmp_path.glob("offline/wandb/offline-run-*/*.wandb")
    wait_until(lambda: [step for step, _ in board_losses(board)] == [one.step for one in curve], "TensorBoard's steps")
    assert [loss for _, loss in board_losses(board)] == pytest.approx([one.loss for one in curve])
    wait_until(lambda: offline_steps(offline) == [one.step for one in curve], "W&B's steps")
    told = b"".join(path.read_bytes() for place in ("board", "offline") for path in (tmp_path / place).rglob("*.*"))
    texts = {word.strip(".") for one in (*TRAIN, *HELDOUT) for word in f"{one.instruction} {one.input} {one.output}".split()}
    telling = {word for word in texts if len(word) > 4} | {one.filename for one in TRAIN} | {one.id for one in TRAIN}
    assert len(telling) > 20 and [word for word in telling if word.encode() in told] == []


def fetched(world: World, work: RunWork, tmp_path: Path) -> Path:
    """The published adapter, which must hold neither a pickle nor a path of this machine, and must load."""
    manifest = committed(world.store, "training", work.run)
    assert manifest is not None
    names = {name for name in manifest.files if name != "curve.jsonl"}
    assert {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "adapter/tokenizer_config.json"} <= names
    assert {Path(name).suffix for name in names} <= {".json", ".safetensors", ".jinja"}
    directory = tmp_path / "adapter"
    for name in names:
        world.store.download(manifest.files[name].path, tmp_path / name)
        assert str(tmp_path).encode() not in (tmp_path / name).read_bytes()
    assert AutoTokenizer.from_pretrained(directory).chat_template == ALPACA
    base = world.settings.cache_dir / "bases"
    model = AutoModelForCausalLM.from_pretrained(next(path for path in base.iterdir() if path.is_dir()))
    PeftModel.from_pretrained(model, directory)
    return directory


def base_loss(base: Path) -> float:
    """The base's loss on what is held out, one example at a time, by the model's own loss."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), pretrained.load_tokenizer(base)
    total, tokens = 0.0, 0
    for one in HELDOUT:
        encoded = encode(one, "alpaca", tokenizer)
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([encoded.ids]), labels=torch.tensor([encoded.labels])).loss
        total += float(loss) * encoded.response_tokens
        tokens += encoded.response_tokens
    return total / tokens


@pytest.mark.slow
def test_a_sharded_run_on_ray_goes_on_after_a_killed_worker_as_the_unsharded_one(
    world: World, tiny_base: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"max_steps": 40, "workers": 2, "sharding": "full"})
    whole = Run(tmp_path / "whole", tiny_base, recipe.model_copy(update={"sharding": "none"}))
    assert whole.attempt() == [0, 0]
    work = world.ask(recipe, publish_tiny(world.store, tiny_base))
    killed: list[psutil.Process] = []

    def kill_a_worker(job: psutil.Process) -> None:
        killed.extend(one for one in job.children(recursive=True) if "RayTrainWorker" in one.cmdline()[0])
        killed[-1].kill()

    Watcher(world, work, 12, kill_a_worker)
    assert world.train(work) == "done" and len(killed) == 2
    assert trained(world, work).resumed_from_step >= 10
    world.store.download(output_path(world.store, "training", work.run, "curve.jsonl"), tmp_path / "curve.jsonl")
    assert figures(read_curve(tmp_path / "curve.jsonl")) == figures(whole.curve())


@pytest.mark.slow
def test_a_model_is_measured_on_all_that_its_dataset_replays(world: World, tiny_base: Path, tmp_path: Path) -> None:
    def replaying(key: str, *datasets: str) -> DatasetWish:
        replay = ReplayParameters(datasets=tuple(one[:16] for one in datasets))
        parameters = DatasetParameters(replay=replay)
        return put_dataset(world.store, tmp_path / key[:4], TRAIN[:1], HELDOUT[:1], key * 64, parameters)

    replaying("a")
    replaying("b", "a" * 64)
    world.dataset = replaying("c", "b" * 64, "a" * 64)
    work = world.ask(RECIPE, "digest")
    seen: list[tuple[str, bool]] = []

    def look(context: StageContext[RunWork]) -> Rejected:
        run = RunWish.model_validate_json(world.store.read(layout.run(short(context.work.run))))
        seen.extend((one.set, one.examples.exists()) for one in held_out(context, run))
        return Rejected(reason="enough", detail="It was looked at.")

    world.runner.run(TRAINING, work, look)
    assert seen == [("c" * 16, True), ("b" * 16, True), ("a" * 16, True)]


@pytest.mark.slow
def test_a_run_from_a_model_begins_where_that_one_ended_and_is_measured_on_all_that_it_learned(
    world: World, tiny_base: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"max_steps": 12, "quantization": "none", "precision": "fp32"})
    digest = publish_tiny(world.store, tiny_base)
    parent = world.ask(recipe, digest)
    assert world.train(parent) == "done"
    made = trained(world, parent)
    before = world.dataset
    world.dataset = put_dataset(world.store, tmp_path / "new", [*examples(20, seed=2)], examples(5, seed=3), "e" * 64)
    begins_from = Parent(model="run", run=parent.run, adapter_digest=made.adapter_digest)
    child = world.ask(recipe.model_copy(update={"continual": Continual(replay_share=0.2)}), digest, begins_from)
    assert world.train(child) == "done"
    result = trained(world, child)
    assert result.replayed == {short(before.key): 5}, "of 25 examples a fifth"
    assert result.first_loss < made.first_loss - 0.3 and result.adapter_digest != made.adapter_digest
    assert result.choice is not None and made.choice is None
    assert all(set(one.losses) == {short(world.dataset.key), short(before.key)} for one in result.choice.candidates)

    assert world.evaluate(child) == "done"
    manifest = committed(world.store, "evaluation", EVALUATION.key(child))
    assert manifest is not None
    sets = EvaluationResult.model_validate(manifest.result).sets
    assert [one.set for one in sets] == [short(world.dataset.key), short(before.key), "probes"]
    assert [one.tuned.examples for one in sets[:2]] == [3, 5], "of five and nine held out, two and four chose"
    model = world.catalog.model("run")
    assert model is not None and (model.run, model.parent) == (short(child.run), "run")

    gone = world.ask(recipe, digest, begins_from.model_copy(update={"adapter_digest": "0" * 64}))
    assert (world.train(gone), world.reason(gone)) == ("failed", "parent-changed")
    gone = world.ask(recipe, digest, begins_from.model_copy(update={"run": "f" * 64}))
    assert (world.train(gone), world.reason(gone)) == ("failed", "parent-missing")


def trained(world: World, work: RunWork) -> TrainingResult:
    manifest = committed(world.store, "training", work.run)
    assert manifest is not None
    return TrainingResult.model_validate(manifest.result)


def test_a_cancelled_run_ends_with_all_its_processes_and_commits_nothing(world: World, tiny_base: Path) -> None:
    work = world.ask(RECIPE.model_copy(update={"max_steps": 5000}), publish_tiny(world.store, tiny_base))
    watcher = Watcher(world, work, 2, lambda _: world.catalog.request_cancel(work.job))
    assert world.train(work) == "cancelled"
    assert watcher.survivors() == []
    assert committed(world.store, "training", work.run) is None


def test_a_run_on_a_base_that_is_not_there_is_refused(world: World) -> None:
    work = world.ask(RECIPE, "0" * 64)
    assert world.train(work) == "failed"
    assert world.reason(work) == "base-missing"


def test_a_run_on_a_base_that_has_changed_is_refused(world: World, tiny_base: Path) -> None:
    publish_tiny(world.store, tiny_base)
    work = world.ask(RECIPE, "0" * 64)
    assert world.train(work) == "failed"
    assert world.reason(work) == "base-changed"


def test_an_example_over_the_limit_is_refused_before_a_model_is_loaded(world: World, tiny_base: Path) -> None:
    digest = publish_tiny(world.store, tiny_base)
    work = world.ask(RECIPE.model_copy(update={"max_tokens": 32}), digest)
    assert world.train(work) == "failed"
    assert world.reason(work) == "example-too-long"
    assert read_base(world.store, NAME) is not None

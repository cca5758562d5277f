"""An export from its wish to its files, through the real runner and a child process."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from redis import Redis
from transformers import AutoModelForCausalLM

from services.training.handlers import handlers
from services.training.settings import TrainingSettings
from shared import layout
from shared.catalog.sql import SqlCatalog
from shared.contracts.exports import ExportParameters, ExportResult, Variant
from shared.contracts.learning import EvaluationResult, Model, Score
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import ExportWork, Manifest
from shared.exports import wish_export
from shared.ids import export_job, short
from shared.objects import ObjectStore, create_contract
from shared.pipeline import EXPORT, export_key
from shared.queue import CeleryQueue, RedisLeases, celery_app
from shared.records import Records
from shared.results import committed
from shared.runner import Runner
from tests.servers import Valkey
from tests.unit.training.world import NAME, examples, publish_tiny, put_dataset, put_run

SCORE = Score(loss=1.0, perplexity=2.7, tokens=1, examples=1)


class Exports:
    """A worker, and a tuned model as its run would have left it."""

    def __init__(self, store: ObjectStore, catalog: SqlCatalog, settings: TrainingSettings, redis: Redis) -> None:
        self.store, self.catalog = store, catalog
        self.queue = CeleryQueue(celery_app(settings), redis)
        self.runner = Runner(store, catalog, self.queue, RedisLeases(redis, 5), settings)
        self.handler = handlers(store, settings)["export"]

    def tuned(self, base: Path, scratch: Path) -> Model:
        dataset = put_dataset(self.store, scratch, examples(4), examples(4, seed=1))
        run = put_run(self.store, dataset, TrainingRecipe(base=NAME), publish_tiny(self.store, base))
        adapter = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
        )
        torch.manual_seed(1)
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        adapter.save_pretrained(scratch / "adapter")
        files = {
            f"adapter/{one.name}": self.store.upload(layout.attempt_file("training", run.key, "a", f"adapter/{one.name}"), one)
            for one in (scratch / "adapter").iterdir()
        }
        manifest = Manifest(
            stage="training", stage_version=1, key=run.key, work={}, files=files, started_at="t", finished_at="t", seconds=0
        )
        create_contract(self.store, layout.manifest("training", run.key), manifest)
        model = Model(
            id="run-0123", name="run", run=short(run.key), dataset=short(dataset.key), base=NAME, adapter_key=run.key,
            adapter_digest="0123", template="alpaca", evaluation=EvaluationResult(base=SCORE, tuned=SCORE), created_at="t",
        )  # fmt: skip
        create_contract(self.store, layout.model(model.id), model)
        return model

    def export(self, model: Model, variant: Variant) -> Manifest:
        parameters = ExportParameters(variant=variant, compared_examples=2)
        wish_export(Records(self.store, self.catalog, self.queue), model, parameters)
        key = export_key(model, parameters)
        work = self.catalog.work(export_job(short(key)))
        assert work is not None
        assert self.runner.run(EXPORT, ExportWork.model_validate(work.work), self.handler) == "done"
        found = committed(self.store, EXPORT.name, key)
        assert found is not None
        return found


@pytest.fixture
def exports(store: ObjectStore, catalog: SqlCatalog, valkey: Valkey, tmp_path: Path) -> Iterator[Exports]:
    redis = Redis(port=valkey.port)
    redis.flushall()
    settings = TrainingSettings(
        store_url=f"file://{tmp_path}/store", catalog_url=f"sqlite:///{tmp_path}/catalog.db", queue_url=valkey.url,
        cache_dir=tmp_path / "cache", cpu_threads=1, poll_seconds=0.1,
    )  # fmt: skip
    yield Exports(store, catalog, settings, redis)
    redis.close()


def test_a_model_is_exported_from_the_store_into_the_store(exports: Exports, tiny_base: Path, tmp_path: Path) -> None:
    model = exports.tuned(tiny_base, tmp_path / "scratch")
    shutil.rmtree(tmp_path / "scratch")  # all of it has to come out of the store
    made = exports.export(model, "gguf-q8_0")
    assert set(made.files) == {"README.md", "report.json", "run-0123-Q8_0.gguf"}
    result = ExportResult.model_validate(made.result)
    assert result.weights_bytes == made.files["run-0123-Q8_0.gguf"].size_bytes
    assert ExportResult.model_validate_json(exports.store.read(made.files["report.json"].path)) == result
    assert b"not stated" in exports.store.read(made.files["README.md"].path)
    view = exports.catalog.export(short(made.key))
    assert view is not None and view.state == "done"

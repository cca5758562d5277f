"""Models as training leaves them, with adapters too small to be of use."""

import json
from pathlib import Path

from shared.clock import now
from shared.contracts.learning import EvaluationResult, Model, Score
from shared.contracts.work import Manifest
from shared.ids import short
from shared.keys import digest
from shared.objects import ObjectStore, create_contract

SCORE = Score(loss=1.0, perplexity=2.7, tokens=1, examples=1)


def publish_model(
    store: ObjectStore, tmp_path: Path, files: dict[str, bytes] | None = None, name: str = "shelf", base: str = "tiny"
) -> Model:
    """An adapter and its manifest in the store, and the model that names them."""
    given = {"adapter_config.json": json.dumps({"r": 8}).encode(), "adapter_model.safetensors": name.encode(), **(files or {})}
    key = digest([name, base])
    stored = {}
    for file, data in given.items():
        (tmp_path / file).write_bytes(data)
        stored[f"adapter/{file}"] = store.upload(f"stages/training/{key}/one/adapter/{file}", tmp_path / file)
    manifest = Manifest(
        stage="training", stage_version=1, key=key, work={}, files=stored, started_at=now(), finished_at=now(), seconds=1.0
    )
    create_contract(store, f"stages/training/{key}/manifest.json", manifest)
    return Model(
        id=short(key), name=name, run=short(key), dataset="d", base=base, adapter_key=key,
        adapter_digest=digest({file: one.sha256 for file, one in stored.items()}), template="alpaca",
        evaluation=EvaluationResult(base=SCORE, tuned=SCORE), created_at=now(),
    )  # fmt: skip

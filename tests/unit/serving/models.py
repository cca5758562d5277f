"""Models as training leaves them, with adapters too small to be of use."""

import json
from pathlib import Path

from shared.clock import now
from shared.contracts.learning import EvaluationResult, Model, Score
from shared.contracts.work import Manifest, Rejected
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
    whole = digest({file: one.sha256 for file, one in stored.items()})
    manifest = Manifest(
        stage="training", stage_version=1, key=key, work={}, files=stored, result={"adapter_digest": whole}, started_at=now(),
        finished_at=now(), seconds=1.0,
    )  # fmt: skip
    create_contract(store, f"stages/training/{key}/manifest.json", manifest)
    return Model(
        id=short(key), name=name, run=short(key), dataset="d", base=base, adapter_key=key,
        adapter_digest=whole, template="alpaca",
        evaluation=EvaluationResult(base=SCORE, tuned=SCORE), created_at=now(),
    )  # fmt: skip


def publish_export(
    store: ObjectStore, tmp_path: Path, files: dict[str, bytes] | None = None, rejected: str | None = None
) -> str:
    """An export in the store as training leaves it; its key."""
    given = {"config.json": b"{}", "model.safetensors": b"weights", "README.md": b"# A card", **(files or {})}
    key = digest([rejected, sorted(given)])
    stored = {}
    for file, data in given.items():
        (tmp_path / file).write_bytes(data)
        stored[file] = store.upload(f"stages/export/{key}/one/{file}", tmp_path / file)
    refusal = Rejected(reason=rejected, detail="The export is not the model that was trained.") if rejected else None
    manifest = Manifest(
        stage="export", stage_version=1, key=key, work={}, files={} if rejected else stored, rejected=refusal, started_at=now(),
        finished_at=now(), seconds=1.0,
    )  # fmt: skip
    create_contract(store, f"stages/export/{key}/manifest.json", manifest)
    return key

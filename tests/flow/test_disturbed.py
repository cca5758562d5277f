"""The promise that matters most: whatever dies in the middle, the run ends complete, nothing twice, with the same result."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.views import CHORES
from tests.documents import shelf
from tests.flow.stack import Stack, dataset_digest
from tests.servers import wait_until

DOCUMENTS = 20
RECIPE = {"max_steps": 8, "checkpoint_steps": 2, "batch_size": 2, "gradient_accumulation": 1}


def state(stack: Stack) -> dict[str, Any]:
    """All that the API answers, but for live progress, the moments at which things were observed, and the gateway's chores."""
    documents = [stack.get(f"/v1/collections/shelf/documents/{one['id']}") for one in stack.documents("shelf")]
    jobs = [one for one in stack.get("/v1/jobs", limit=200)["items"] if one["kind"] not in CHORES]
    lists = ("collections", "datasets", "runs", "tuned-models", "keys")
    return {"documents": documents, "jobs": jobs, **{name: stack.get(f"/v1/{name}", limit=200) for name in lists}}


def run_on(stack: Stack, dataset: str) -> dict[str, Any]:
    return dict(stack.post("/v1/runs", {"name": "tuned", "dataset": dataset, "recipe": RECIPE}))


def training_began(stack: Stack, run: dict[str, Any]) -> bool:
    progress = stack.get(f"/v1/jobs/{run['job']}")["progress"]
    return progress is not None and progress["unit"] == "step" and progress["done"] >= 3


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_workers_and_a_killed_queue_change_nothing(tmp_path: Path, bases: Path, stack: Stack) -> None:
    files = shelf(tmp_path / "pdf", DOCUMENTS)
    calm = Stack(tmp_path / "calm", bases)
    try:
        calm.up("--no-serving", "--extraction-workers", "1")
        calm.upload(files, "shelf")
        calm.wait_for_documents("shelf")
        undisturbed = dataset_digest(calm.dataset("shelf"))
    finally:
        calm.down()

    stack.up("--no-serving", "--extraction-workers", "1")
    stack.upload(files[: DOCUMENTS // 2], "shelf")
    assert stack.kill("extraction")
    stack.upload(files[DOCUMENTS // 2 :], "shelf")
    assert stack.kill("valkey")
    wait_until(lambda: stack.manifests("cleaning") != [], "cleaning to begin")
    assert stack.kill("cleaning")
    time.sleep(1)
    assert stack.kill("extraction")
    documents = stack.wait_for_documents("shelf")
    assert [one["state"] for one in documents] == ["done"] * DOCUMENTS
    assert [len(stack.manifests(stage)) for stage in ("extraction", "cleaning", "chunking", "screening")] == [DOCUMENTS] * 4
    dataset = stack.dataset("shelf")
    assert dataset_digest(dataset) == undisturbed

    run = run_on(stack, dataset["id"])
    wait_until(lambda: training_began(stack, run), "training to begin", 180)
    assert stack.kill("training")
    assert stack.wait_for_job(run["job"], 800)["state"] == "done"
    curve = [json.loads(line) for line in _curve(stack, run)]
    assert [point["step"] for point in curve] == list(range(1, RECIPE["max_steps"] + 1)), "no step lost, none twice"

    before = state(stack)
    stack.down()
    for path in stack.home.glob("catalog.db*"):
        path.unlink()
    stack.up("--no-serving")
    stack.lectern("reindex")
    assert state(stack) == before


def _curve(stack: Stack, run: dict[str, Any]) -> list[str]:
    manifest = json.loads(stack.manifests("training")[0].read_text())
    path = manifest["files"]["curve.jsonl"]["path"]
    return (stack.home / "store" / path).read_text().splitlines()


@pytest.mark.slow
def test_the_same_again_does_no_work_and_another_chunk_size_redoes_what_depends_on_it(tmp_path: Path, stack: Stack) -> None:
    files = shelf(tmp_path / "pdf", 3)
    stack.up("--no-serving", "--extraction-workers", "1")
    stack.upload(files, "shelf")
    stack.wait_for_documents("shelf")
    stages = ("extraction", "cleaning", "chunking", "screening")
    made = {stage: stack.manifests(stage) for stage in stages}
    stack.upload(files, "shelf")
    stack.wait_for_documents("shelf")
    assert {stage: stack.manifests(stage) for stage in stages} == made
    with stack.api as api:
        answer = api.patch("/v1/collections/shelf", json={"chunking": {"max_tokens": 96}})
        assert answer.status_code in (200, 202), answer.text
    wait_until(lambda: len(stack.manifests("screening")) == 6, "the new chunks")
    stack.wait_for_documents("shelf")
    assert [len(stack.manifests(stage)) for stage in stages] == [3, 3, 6, 6]

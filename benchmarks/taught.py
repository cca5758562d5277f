"""A dataset that is done and a model tuned on it, for `benchmarks.web`: many training chunks, each of other words."""

import itertools
import json
import random
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from services.gateway.chunk_index import build_index
from services.gateway.parts import Parts
from shared import layout
from shared.catalog.protocol import NewJob
from shared.contracts.documents import Chunk
from shared.contracts.learning import DatasetInput, DatasetParameters, DatasetWish, EvaluationResult, Model, Score
from shared.contracts.work import DatasetWork, Manifest
from shared.ids import dataset_job, short
from shared.keys import digest
from shared.results import committed

AT = "2026-02-01T00:00:00.000000Z"
QUESTIONS = 15
TAUGHT, MODEL = digest(["taught"]), "all-1"


def taught(parts: Parts, collection: str, names: list[str], chunks: int, made: Callable[[str, int], str]) -> list[str]:
    """A dataset that is done and a model tuned on it, with chunks of 180 words by Zipf's law, each different; returns halves of
    some of them, as answers in other words would be."""
    chance = random.Random(7)
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 10))) for _ in range(60_000)]
    weights = list(itertools.accumulate(1 / rank**1.07 for rank in range(1, len(words) + 1)))
    asked: list[str] = []

    def lines() -> Iterator[tuple[str, str]]:
        for document in names:
            for at in range(chunks):
                said = chance.choices(words, cum_weights=weights, k=180)
                if len(asked) < QUESTIONS:
                    asked.append(" ".join(said[:120:2]))
                chunk = Chunk.model_validate_json(made(document, at)).model_copy(update={"text": " ".join(said)})
                yield chunk.model_dump_json(), json.dumps({"chunk": chunk.id})

    with tempfile.TemporaryDirectory() as directory:
        paths = {name: Path(directory, name) for name in ("chunks.jsonl", "train.jsonl")}
        with paths["chunks.jsonl"].open("w") as texts, paths["train.jsonl"].open("w") as examples:
            for text, example in lines():
                texts.write(text + "\n")
                examples.write(example + "\n")
        files = {
            name: parts.store.upload(layout.attempt_file("dataset", TAUGHT, "a", name), one) for name, one in paths.items()
        }
    manifest = Manifest(
        stage="dataset",
        stage_version=1,
        key=TAUGHT,
        work={},
        files=files,
        result={},
        started_at=AT,
        finished_at=AT,
        seconds=1.0,
    )
    parts.store.create(layout.manifest("dataset", TAUGHT), manifest.model_dump_json().encode())
    _put_model(parts, collection, names)
    return asked


def _put_model(parts: Parts, collection: str, names: list[str]) -> None:
    inputs = tuple(DatasetInput(document=one, filename=f"report-{one[:6]}.pdf", screening_key=one) for one in names)
    base = parts.settings.default_base
    parts.catalog.put_dataset(
        DatasetWish(
            key=TAUGHT, name="taught", collection=collection, base=base, parameters=DatasetParameters(), inputs=inputs,
            created_at=AT,
        )
    )  # fmt: skip
    work = DatasetWork(job=dataset_job(short(TAUGHT)), trace="t", dataset=TAUGHT)
    parts.catalog.put_job(NewJob(work.job, "dataset", short(TAUGHT), collection, "dataset", work, AT))
    parts.catalog.finish_job(work.job, "done", None, None, AT)
    score = Score(loss=2.0, perplexity=7.4, tokens=10, examples=2)
    parts.catalog.put_model(
        Model(
            id=MODEL, name="all", run=short(digest(["run"])), dataset=short(TAUGHT), base=base, adapter_key="a",
            adapter_digest="a", template="t", evaluation=EvaluationResult(base=score, tuned=score), created_at=AT,
        )
    )  # fmt: skip


def indexed(parts: Parts) -> None:
    """Build the index as the gateway does, beside nothing else."""
    manifest = committed(parts.store, "dataset", TAUGHT)
    assert manifest is not None
    held, began, used = psutil.Process().memory_info().rss, time.perf_counter(), time.process_time()
    index = build_index(parts.store, manifest)
    more = psutil.Process().memory_info().rss - held
    print(
        f"\nindex of {manifest.files['chunks.jsonl'].size_bytes / 1e6:,.0f} MB of chunks: {time.perf_counter() - began:.1f} s "
        f"({time.process_time() - used:.1f} s of processor), {more / 1e6:.0f} MB more in memory"
    )
    del index

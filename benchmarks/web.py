"""The web app's pages over a full catalog: 10,000 documents, 100,000 garbage items and 100,000 training chunks, the time at the
server of each page and of the evidence beside an answer.

`python -m benchmarks.web [--documents N] [--repeats N]` fills a directory of its own (a minute or two), serves it by the
gateway as it is, and asks for each page again and again over one connection. Figures are medians and the worst of the
repeats, in milliseconds of wall time from request to the last byte, on the loopback; and the median of processor time, which
says the same on a busy machine. It counts this client too. Before the pages: how long the index of the training chunks took,
and how much more memory the process held for it.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import httpx
import uvicorn
from sqlalchemy import Engine, insert

from benchmarks.taught import MODEL, indexed, taught
from services.gateway.app import create_app
from services.gateway.parts import Parts, open_parts
from services.gateway.settings import GatewaySettings
from shared import layout
from shared.catalog.database import migrate, open_database
from shared.catalog.tables import DocumentRow, EventRow, JobRow, ReviewableRow, StageRow
from shared.contracts.documents import (
    Chunk,
    ChunkingResult,
    CleaningResult,
    Document,
    ExtractionResult,
    GarbageItem,
    LineFate,
    Membership,
    Page,
    ProcessingParameters,
    ScreeningResult,
    Span,
)
from shared.contracts.learning import (
    DatasetInput,
    DatasetParameters,
    DatasetWish,
    RunWish,
)
from shared.contracts.ledger import PageAccount
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import File, Manifest
from shared.ids import document_job, short
from shared.keys import digest
from shared.pipeline import chunking_key, cleaning_key, extraction_key, screening_key
from shared.queue import open_redis
from shared.telemetry import configure_logs
from tests.servers import Valkey

COLLECTION = "papers"
AT = "2026-01-01T00:00:00.000000Z"
PAGES = 8
LIMIT_MS = 200
KEYS = {"extraction": extraction_key, "cleaning": cleaning_key, "chunking": chunking_key, "screening": screening_key}
BATCH = 2_000
BLOCKS = 30
RESULTS: dict[str, dict[str, object]] = {
    "extraction": ExtractionResult(pages=PAGES, pages_failed=0, blocks=PAGES * BLOCKS, characters=26_000).model_dump(),
    "cleaning": CleaningResult(
        pieces=PAGES * BLOCKS, characters_in=26_000, characters_kept=26_000, dropped={}, garbage={}
    ).model_dump(),
    "chunking": ChunkingResult(chunks=PAGES * 3, tokens=6_000, over_budget=0).model_dump(),
    "screening": ScreeningResult(chunks=PAGES * 3, tokens=6_000, garbage={"few-letters": 10}).model_dump(),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--documents", type=int, default=10_000)
    arguments.add_argument("--garbage", type=int, default=10, help="Items of each document.")
    arguments.add_argument("--chunks", type=int, default=10, help="Training chunks of each document.")
    arguments.add_argument("--repeats", type=int, default=15)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        parts, secret, valkey = opened(Path(directory))
        try:
            names = filled(parts, open_database(parts.settings.catalog_url), given.documents, given.garbage)
            dataset = parts.records.wish_dataset("all", COLLECTION, parts.settings.default_base, DatasetParameters()).id
            with_more_datasets(parts, names)
            questions = taught(parts, COLLECTION, names, given.chunks, _chunk)
            indexed(parts)
            measure(parts, secret, names, dataset, questions, given.repeats, given.documents * given.garbage)
        finally:
            valkey.stop()


def opened(root: Path) -> tuple[Parts, str, Valkey]:
    configure_logs("ERROR", True)
    valkey = Valkey(root / "valkey")
    valkey.start()
    settings = GatewaySettings(
        store_url=f"file://{root}/store", catalog_url=f"sqlite:///{root}/catalog.db", queue_url=valkey.url,
        cache_dir=root / "cache", recovery_seconds=3_600,
    )  # fmt: skip
    migrate(settings.catalog_url)
    open_redis(settings).flushall()
    parts = open_parts(settings)
    _, secret = parts.keys.create("benchmark", ("admin",))
    parts.records.collect(COLLECTION)
    return parts, secret, valkey


def filled(parts: Parts, engine: Engine, documents: int, garbage: int) -> list[str]:
    """Rows and objects as the pipeline would leave them; returns the documents' ids."""
    names = [digest(["document", number]) for number in range(documents)]
    for start in range(0, documents, BATCH):
        some = names[start : start + BATCH]
        with engine.begin() as connection:
            for table, rows in _rows(some).items():
                connection.execute(insert(table), rows)
        placed = [row for document in some for row in _put_objects(parts, document, garbage)]
        with engine.begin() as connection:
            connection.execute(insert(ReviewableRow), placed)
        print(f"  {min(start + BATCH, documents):,} documents", flush=True)
    return names


def _rows(documents: list[str]) -> dict[type, list[dict[str, object]]]:
    jobs = [(document, document_job(COLLECTION, document)) for document in documents]
    states = ["failed" if at % 50 == 7 else "dead" if at % 97 == 5 else "done" for at in range(len(jobs))]
    base = {"kind": "document", "collection": COLLECTION, "stage": "screening", "work": {}, "trace": "t", "created_at": AT}
    return {
        JobRow: [
            base | {"id": job, "subject": document, "state": state, "touched_at": 0.0, "finished_at": AT, "attempts": 1}
            | {"code": None, "detail": "Refused as an example." if state != "done" else None, "cancel_requested": False}
            for (document, job), state in zip(jobs, states, strict=True)
        ],
        DocumentRow: [
            {"collection": COLLECTION, "id": document, "filename": f"report-{document[:6]}.pdf", "size_bytes": 90_000}
            | {"added_at": AT, "job": job}
            for document, job in jobs
        ],
        StageRow: [
            {"job": job, "stage": stage, "key": "k", "state": "done", "seconds": 1.0, "finished_at": AT}
            | {"result": RESULTS[stage]}
            for _, job in jobs
            for stage in KEYS
        ],
        EventRow: [
            {"job": job, "at": AT, "kind": "progress"}
            | {"data": {"stage": "extraction", "done": at, "total": PAGES, "unit": "page"}}
            for _, job in jobs
            for at in range(PAGES)
        ],
    }  # fmt: skip


def _put_objects(parts: Parts, document: str, garbage: int) -> list[dict[str, object]]:
    """What the stages made of one document: eight pages of thirty blocks. Returns the rows of its garbage for review."""
    membership = Membership(collection=COLLECTION, document=document, filename=f"report-{document[:6]}.pdf", added_at=AT)
    known = Document(id=document, filename=membership.filename, size_bytes=90_000, uploaded_at=AT)
    parts.store.create(layout.document(document), known.model_dump_json().encode())
    parts.store.create(layout.membership(COLLECTION, document), membership.model_dump_json().encode())
    items = [_item(document, at) for at in range(garbage)]
    files: dict[str, dict[str, list[str]]] = {
        "extraction": {"pages.jsonl": PAGE_LINES},
        "cleaning": {"lines.jsonl": FATE_LINES, "ledger.jsonl": ACCOUNT_LINES, "clean.mmd": ["text"]},
        "chunking": {},
        "screening": {"chunks.jsonl": [_chunk(document, at) for at in range(PAGES * 3)], "garbage.jsonl": items},
    }  # fmt: skip
    for stage, made in files.items():
        key = KEYS[stage](document, ProcessingParameters())
        written = {name: _file(parts, layout.attempt_file(stage, key, "a", name), lines) for name, lines in made.items()}
        manifest = Manifest(
            stage=stage, stage_version=1, key=key, work={}, files=written, result=RESULTS[stage], started_at=AT,
            finished_at=AT, seconds=1.0,
        )  # fmt: skip
        parts.store.create(layout.manifest(stage, key), manifest.model_dump_json().encode())
    return _reviewables(document, items, layout.attempt_file("screening", key, "a", "garbage.jsonl"))


def _reviewables(document: str, items: list[str], path: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    start = 0
    for at, item in enumerate(items):
        rows.append(
            {"document": document, "id": digest([document, at])[:16], "collection": COLLECTION, "mark": digest([at])}
            | {"decision": "set-aside", "rule": "few-letters", "probability": None, "path": path, "start": start}
            | {"lane": "random" if at == 0 else "uncertain", "rank": at / 10, "end": start + len(item.encode())}
        )
        start += len(item.encode()) + 1
    return rows


def _file(parts: Parts, path: str, lines: list[str]) -> File:
    content = "".join(line + "\n" for line in lines).encode()
    parts.store.create(path, content)
    return File(path=path, size_bytes=len(content), sha256=digest([path]))


def _box(at: int) -> tuple[float, float, float, float]:
    return (60.0, 20.0 + 25 * at, 540.0, 40.0 + 25 * at)


SENTENCE = "The tide gauge on the northern pier has been read each morning since the winter of 1931, and it is read still."


def _page_lines() -> Iterator[str]:
    for number in range(1, PAGES + 1):
        blocks = [
            {"kind": "paragraph", "text": SENTENCE, "box": _box(at), "start": at * 200, "end": at * 200 + len(SENTENCE)}
            for at in range(BLOCKS)
        ]
        value = {"number": number, "width": 595.0, "height": 842.0, "engine": "text-layer", "blocks": blocks}
        yield Page.model_validate(value).model_dump_json()


def _fate_lines() -> Iterator[str]:
    for number in range(1, PAGES + 1):
        for at in range(BLOCKS):
            yield LineFate(
                page=number, block=at, line=0, text=SENTENCE, box=_box(at), label="content", fate="kept"
            ).model_dump_json()


PAGE_LINES, FATE_LINES = list(_page_lines()), list(_fate_lines())
ACCOUNT_LINES = [
    PageAccount(page=number, fate="kept", blocks=BLOCKS, lines={"kept": BLOCKS}).model_dump_json()
    for number in range(1, PAGES + 1)
]


def _chunk(document: str, at: int) -> str:
    page, place = at // 3 + 1, (at % 3) * 10
    spans = tuple(Span(page=page, box=_box(place + one), start=one * 110, end=one * 110 + 109) for one in range(10))
    text = " ".join([SENTENCE] * 10)
    return Chunk(id=f"{document[:12]}-{at}", document=document, index=at, text=text, tokens=250, spans=spans).model_dump_json()


def _item(document: str, at: int) -> str:
    return GarbageItem(
        id=digest([document, at])[:16], document=document, text=f"~~ {at} ~~ ## || %%", reason="few-letters", score=0.2,
        threshold=0.5, page=at % PAGES + 1, box=_box(at),
    ).model_dump_json()  # fmt: skip


def with_more_datasets(parts: Parts, names: list[str]) -> None:
    """Twenty more wishes for the whole shelf, as a long year leaves them, and a run on one."""
    inputs = tuple(
        DatasetInput(document=one, filename=f"report-{one[:6]}.pdf", screening_key=digest(["s", one])) for one in names
    )
    for number in range(20):
        key = digest(["dataset", number])
        parts.catalog.put_dataset(
            DatasetWish(
                key=key,
                name=f"all-{number}",
                collection=COLLECTION,
                base=parts.settings.default_base,
                parameters=DatasetParameters(),
                inputs=inputs,
                created_at=f"2025-{number % 12 + 1:02d}-01T00:00:00Z",
            )
        )

    recipe = TrainingRecipe(base=parts.settings.default_base)
    run = RunWish(key=digest(["run"]), name="all", dataset=short(key), recipe=recipe, base_digest="b", created_at=AT)
    parts.catalog.put_run(run)


def measure(
    parts: Parts, secret: str, names: list[str], dataset: str, questions: list[str], repeats: int, garbage: int
) -> None:
    server = uvicorn.Server(uvicorn.Config(create_app(parts), host="127.0.0.1", port=0, log_level="error", access_log=False))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        client.post("/sign-in", data={"key": secret})
        cursor = client.get(f"/v1/collections/{COLLECTION}/documents", params={"limit": 200}).json()["next_cursor"]
        evidence = [f"/v1/tuned-models/{MODEL}/evidence?{urlencode({'text': one, 'limit': 5})}" for one in questions]
        _await_index(client, evidence[0])
        views = {view: [path] for view, path in _views(names, dataset, cursor).items()}
        views |= {"search in chunks": [f"/search?{urlencode({'collection': COLLECTION, 'q': one[:80]})}" for one in questions]}
        rows = [(view, *_times(client, paths, repeats)) for view, paths in (views | {"evidence": evidence}).items()]
    server.should_exit = True
    load = os.getloadavg()[0]
    print(
        f"\n{len(names):,} documents, {garbage:,} garbage items; {os.cpu_count()} cores ({platform.machine()}), load {load:.1f}"
    )
    print(f"{'page':24}{'median ms':>10}{'worst ms':>10}{'processor ms':>14}{'KB':>8}")
    for view, middle, worst, used, size in rows:
        late = "" if middle < LIMIT_MS else "   over the limit"
        print(f"{view:24}{middle:10.1f}{worst:10.1f}{used:14.1f}{size / 1000:8.1f}{late}")


def _await_index(client: httpx.Client, path: str) -> None:
    began = time.perf_counter()
    while client.get(path).status_code == 409:
        time.sleep(0.5)
    print(f"index beside a waiting client: {time.perf_counter() - began:.1f} s")


def _views(names: list[str], dataset: str, cursor: str) -> dict[str, str]:
    document = f"/shelf/{COLLECTION}/documents/{names[len(names) // 2]}"
    return {
        "shelf": "/", "shelf, further on": f"/shelf/{COLLECTION}?cursor={cursor}",
        "shelf, refused": f"/shelf/{COLLECTION}?state=failed",
        "shelf, settings": f"/shelf/{COLLECTION}/settings", "search": f"/search?collection={COLLECTION}&q=abc",
        "document": document, "document, page 7": f"{document}?page=7", "datasets": "/datasets",
        "dataset": f"/datasets/{dataset}", "run": f"/runs/{short(digest(['run']))}",
        "review": "/review",
        "review, by lot": "/review?lane=random",
        "lines": f"/review/lines/{COLLECTION}/{names[len(names) // 2]}",
        "runs": "/runs", "try it": "/try", "operate": "/operate",
    }  # fmt: skip


def _times(client: httpx.Client, paths: list[str], repeats: int) -> tuple[float, float, float, int]:
    """Median and worst wall time, and median processor time, in milliseconds; and bytes."""
    times, processor = [], []
    for at in range(repeats):
        path = paths[at % len(paths)]
        began, used = time.perf_counter(), time.process_time()
        answer = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - used) * 1000)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    return median(times), max(times), median(processor), len(answer.content)


if __name__ == "__main__":
    main()

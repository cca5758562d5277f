"""A real gateway on a port of its own, over a real catalog, store and Valkey; and hands to play the workers' part."""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from redis import Redis
from starlette.types import ASGIApp

from services.cleaning.handlers import classifier, screening
from services.gateway.app import create_app
from services.gateway.evidence import EvidenceShelf
from services.gateway.oidc.single_sign_on import open_single_sign_on
from services.gateway.parts import Parts, engine_client
from services.gateway.settings import GatewaySettings
from shared.bases import publish_base
from shared.catalog.sql import SqlCatalog
from shared.contracts.checkpoints import Candidate, CheckpointChoice
from shared.contracts.datasets import DatasetPreview, PreviewExample, PreviewResult
from shared.contracts.documents import (
    Chunk,
    ChunkingResult,
    CleaningResult,
    ExtractionResult,
    GarbageItem,
    Membership,
    Span,
)
from shared.contracts.keys import Scope
from shared.contracts.learning import (
    DatasetResult,
    EvaluationResult,
    LossPoint,
    Measured,
    Score,
    SetEvaluation,
    SetScore,
    TrainingResult,
)
from shared.contracts.views import FINISHED, JobView
from shared.contracts.work import PreviewWork, Rejected
from shared.ids import document_job
from shared.objects import ObjectStore
from shared.pipeline import STAGES
from shared.presence import RedisWorkforce
from shared.queue import RedisLeases, open_queue, open_redis
from shared.runner import Runner
from shared.settings import SharedSettings
from shared.stage import Handler, StageContext
from tests.servers import Valkey, wait_until

BASE = "tiny-base"
PDF = b"%PDF-1.7\n%a small one\n%%EOF\n"


@dataclass
class Server:
    """An ASGI application on a port, free where none is said, in a thread of this process."""

    app: ASGIApp
    port: int = 0

    def __post_init__(self) -> None:
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="warning", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started, "the server")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


@dataclass
class Workers:
    """The stages with handlers of the tests' own, run by the real runner."""

    runner: Runner
    text: Callable[[str], str] = lambda document: f"The gauge of {document[:8]} reads low. The pier is old."
    garbage: int = 3
    forgets: float = 0.0
    refuse: Rejected | None = None
    own: dict[str, Handler] = field(default_factory=dict)
    """Handlers in place of these."""

    def run(self, job: str) -> str:
        """Take a job through all of its stages; returns the state it ends in."""
        handlers = self._handlers()
        while (found := self.runner.catalog.work(job)) is not None and found.state not in FINISHED:
            stage = STAGES[found.stage]
            self.runner.run(stage, stage.work.model_validate(found.work), handlers[stage.name])
        view = self.runner.catalog.job(job)
        assert view is not None
        return view.state

    def _handlers(self) -> dict[str, Handler]:
        return {
            "extraction": self._extract, "cleaning": self._clean, "chunking": self._chunk,
            "screening": screening, "dataset": self._assemble, "preview": self._preview, "training": self._train,
            "evaluation": self._evaluate, "classifier": classifier, **self.own,
        }  # fmt: skip

    def _extract(self, context: StageContext[Any]) -> ExtractionResult | Rejected:
        if self.refuse is not None:
            return self.refuse
        (context.out / "document.mmd").write_text(f"# Report\n\n{self.text(context.work.document)}\n")
        (context.out / "pages.jsonl").write_text('{"number":1,"engine":"text-layer"}\n')
        return ExtractionResult(pages=1, pages_failed=0, blocks=2, characters=40)

    def _clean(self, context: StageContext[Any]) -> CleaningResult:
        (context.out / "clean.mmd").write_text(self.text(context.work.document))
        items = [
            GarbageItem(
                id=f"g{at}", document=context.work.document, text=f"~~ {at} ~~ \u2028 ü", reason="symbols", score=0.9,
                threshold=0.5, page=1, box=None,
            )
            for at in range(self.garbage)
        ]  # fmt: skip
        (context.out / "garbage.jsonl").write_text("".join(item.model_dump_json() + "\n" for item in items))
        return CleaningResult(pieces=1, characters_in=40, characters_kept=30, dropped={}, garbage={"symbols": self.garbage})

    def _chunk(self, context: StageContext[Any]) -> ChunkingResult:
        document = context.work.document
        text = self.text(document)
        span = Span(page=7, box=(1.0, 2.0, 3.0, 4.0), start=0, end=len(text))
        chunk = Chunk(id=f"{document[:8]}-0", document=document, index=0, text=text, tokens=9, spans=(span,))
        (context.out / "chunks.jsonl").write_text(chunk.model_dump_json() + "\n")
        return ChunkingResult(chunks=1, tokens=9, over_budget=0)

    def _assemble(self, context: StageContext[Any]) -> DatasetResult:
        """Every chunk becomes an example; those of the last document are held out."""
        wish = self.runner.catalog.dataset(context.work.dataset[:16])
        assert wish is not None
        inputs = wish.wish.inputs
        lines = [context.fetch("screening", one.screening_key, "chunks.jsonl").read_text() for one in inputs]
        (context.out / "chunks.jsonl").write_text("".join(lines))
        examples = [f'{{"chunk":"{one.document[:8]}-0"}}\n' for one in inputs]
        (context.out / "train.jsonl").write_text("".join(examples[:-1] or examples))
        (context.out / "heldout.jsonl").write_text(examples[-1])
        (context.out / "README.md").write_text("---\nlicense: other\n---\n# A card\n")
        (context.out / "duplicates.jsonl").write_text("")
        (context.out / "train.parquet").write_bytes(b"PAR1train")
        (context.out / "heldout.parquet").write_bytes(b"PAR1held")
        count = len(inputs)
        return DatasetResult(
            digest="d", documents=count, chunks=count, train=count, heldout=1, heldout_documents=1, split="document"
        )

    def _preview(self, context: StageContext[Any]) -> PreviewResult:
        """The first chunk of the first document, as an example."""
        work: PreviewWork = context.work
        chunk = context.fetch("screening", work.inputs[0].screening_key, "chunks.jsonl").read_text()
        text = Chunk.model_validate_json(chunk).text
        shown = PreviewExample(recipe="r", prompt="Continue.", answer=text, eos="<eos>", tokens=9, filename="f", pages=(7,))
        preview = DatasetPreview(documents=len(work.inputs), of_documents=work.of_documents, examples=(shown,), made=1)
        (context.out / "preview.json").write_text(preview.model_dump_json())
        return PreviewResult(documents=preview.documents, examples=1)

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        points = [
            LossPoint(step=step, epoch=step / 4, loss=2.0 / step, learning_rate=3e-4, tokens=100 * step, seconds=float(step))
            for step in (1, 2, 3, 4)
        ]
        (context.out / "curve.jsonl").write_text("".join(point.model_dump_json() + "\n" for point in points))
        return TrainingResult(
            steps=4, tokens=400, seconds=4, tokens_per_second=100, first_loss=2.0, last_loss=0.5, trainable_parameters=1,
            total_parameters=10, precision="fp32", device="cpu", peak_memory_bytes=1, adapter_digest=context.key,
            choice=self._choice(context.work.run),
        )  # fmt: skip

    def _choice(self, key: str) -> CheckpointChoice | None:
        """Of a run that starts from a model: its average."""
        run = self.runner.catalog.run(key[:16])
        if run is None or run.wish.parent is None:
            return None
        return CheckpointChoice(
            chosen="averaged", wish="evaluated", reason="averaged (steps 2 to 4): 1.0000 nats a token, against last 1.5000",
            candidates=(
                Candidate(name="last", steps=(4,), losses={run.wish.dataset: 1.5}, score=1.5),
                Candidate(name="averaged", steps=(2, 4), losses={run.wish.dataset: 1.0}, score=1.0, lost=0.125),
            ),
        )  # fmt: skip

    def _evaluate(self, context: StageContext[Any]) -> EvaluationResult:
        """Better on the dataset's own held-out set, and on general probes by as much worse as is said."""
        score = Score(loss=2.0, perplexity=7.4, tokens=10, examples=2)
        run = self.runner.catalog.run(context.work.run[:16])
        assert run is not None
        sets = (
            held_out(run.wish.dataset, "own", 2.0, 1.0),
            held_out("probes", "general probes", 2.0, 2.0 + self.forgets),
        )  # fmt: skip
        return EvaluationResult(base=score, tuned=score.model_copy(update={"loss": 1.0, "perplexity": 2.7}), sets=sets)


def held_out(of: str, name: str, base: float, tuned: float) -> SetEvaluation:
    """A set on which both models were measured, each to 0.05 nats."""
    return SetEvaluation(set=of, name=name, digest="d", base=set_score(base), tuned=set_score(tuned))


def set_score(loss: float) -> SetScore:
    def around(value: float, width: float = 0.05) -> Measured:
        return Measured(value=value, low=value - width, high=value + width)

    return SetScore(
        loss=around(loss),
        perplexity=around(math.exp(loss)),
        f1=around(0.4),
        stops=around(0.75),
        tokens=10,
        examples=2,
        answers=2,
    )


@dataclass
class Gateway:
    """The gateway as its clients and its neighbours see it."""

    parts: Parts
    url: str
    workers: Workers

    @property
    def store(self) -> ObjectStore:
        return self.parts.store

    @property
    def catalog(self) -> SqlCatalog:
        assert isinstance(self.parts.catalog, SqlCatalog)
        return self.parts.catalog

    def client(self, *scopes: Scope) -> httpx.Client:
        """A client with a key of these scopes (admin where none is named)."""
        return self.reviewer("test", *scopes)

    def reviewer(self, name: str, *scopes: Scope) -> httpx.Client:
        """A client with a key of this name."""
        _, secret = self.parts.keys.create(name, scopes or ("admin",))
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {secret}"}, timeout=30, trust_env=False)

    def add(self, collection: str = "papers", content: bytes = PDF, filename: str = "paper.pdf", done: bool = True) -> str:
        """A document on a shelf, and through its stages unless told otherwise. Returns its id."""
        with self.client() as client:
            answer = client.post(
                f"/v1/collections/{collection}/documents", params={"filename": filename}, content=content,
                headers={"Content-Type": "application/pdf"},
            )  # fmt: skip
        answer.raise_for_status()
        document: str = answer.json()["id"]
        if done:
            self.workers.run(document_job(collection, document))
        return document

    def await_job(self, answer: httpx.Response) -> JobView:
        """The job that an answer names in `Link`, once the gateway's own loop has done it."""
        job = answer.headers["Link"].partition("/v1/jobs/")[2].partition(">")[0]
        wait_until(lambda: (found := self.catalog.job(job)) is not None and found.state in FINISHED, job)
        found = self.catalog.job(job)
        assert found is not None
        return found

    def uploads(self) -> list[str]:
        """What lies under `uploads/`, halves of files too where the store is a directory."""
        root = Path(self.parts.settings.store_url.removeprefix("file://")) / "uploads"
        return [*self.store.list("uploads"), *(str(path) for path in root.rglob("*"))]

    def memberships(self, collection: str) -> list[Membership]:
        paths = self.store.list(f"collections/{collection}/documents")
        return [Membership.model_validate_json(self.store.read(path)) for path in paths]


@pytest.fixture
def gateway_settings(settings: SharedSettings) -> GatewaySettings:
    return GatewaySettings(
        **settings.model_dump(), max_upload_bytes=12 << 20, max_request_bytes=64 << 10, default_base=BASE,
        event_poll_seconds=0.02, recovery_seconds=60, review_seconds=3_600,
    )  # fmt: skip


@pytest.fixture
def make_gateway(valkey: Valkey, catalog: SqlCatalog, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways that end with the test."""
    servers: list[Server] = []

    def make(settings: GatewaySettings, store: ObjectStore) -> Gateway:
        redis, queue = open_redis(settings), open_queue(settings)
        leases = RedisLeases(redis, settings.lease_seconds)
        evidence = EvidenceShelf(store, settings.evidence_indexes, settings.evidence_max_bytes)
        parts = Parts(
            settings,
            store,
            catalog,
            queue,
            leases,
            engine_client(settings),
            evidence,
            RedisWorkforce(redis),
            open_single_sign_on(settings),
        )
        port = settings.port if settings.public_url else 0
        servers.append(Server(create_app(parts), port))
        return Gateway(parts, servers[-1].url, Workers(Runner(store, catalog, queue, leases, settings)))

    Redis.from_url(valkey.url).flushall()
    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def gateway(make_gateway: Callable[..., Gateway], gateway_settings: GatewaySettings, store: ObjectStore) -> Gateway:
    return make_gateway(gateway_settings, store)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


@pytest.fixture
def base(store: ObjectStore, tmp_path: Path) -> str:
    """A base model in the store, as far as the gateway looks at one."""
    directory = tmp_path / "base"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    publish_base(store, directory, name=BASE, source="test", licence="none", architecture="none", eos_token="<eos>")
    return BASE

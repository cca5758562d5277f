"""A Lectern for browsers: a real gateway, documents truly extracted, cleaned and chunked, and a told engine behind it."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.cleaning.handlers import handlers as cleaning_handlers
from services.extraction.handlers import handlers as extraction_handlers
from services.gateway.app import create_app
from services.gateway.evidence import EvidenceShelf
from services.gateway.oidc.single_sign_on import open_single_sign_on
from services.gateway.parts import Parts, engine_client
from services.gateway.settings import GatewaySettings
from shared.bases import publish_base
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.contracts.keys import Scope
from shared.contracts.learning import DeploymentWish, LossPoint, TrainingResult
from shared.ids import document_job
from shared.objects import open_store
from shared.presence import RedisWorkforce
from shared.queue import RedisLeases, open_queue, open_redis
from shared.runner import Runner
from shared.settings import SharedSettings
from shared.stage import Handler, StageContext
from tests.api.conftest import Gateway, Server, Workers
from tests.api.engine import ToldEngine

BASE = "smollm2-135m-instruct"
STEPS = 24
SHAPE = {
    "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "vocab_size": 49152, "max_position_embeddings": 8192, "tie_word_embeddings": True,
}  # fmt: skip

INJECTIONS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"><svg onload="document.title=\'owned\'">',
    "javascript:document.title='owned'",
    "{{ 7 * 7 }} {% include 'base.html' %}",
    "</textarea></pre></table><h1 id=owned>owned</h1>",
)


@dataclass
class RealWorkers(Workers):
    """The stages as they are, but for training, which tells of a curve without a model."""

    step_seconds: float = 0.0

    def _handlers(self) -> dict[str, Handler]:
        return {**super()._handlers(), **extraction_handlers(), **cleaning_handlers(), "training": self._train}

    def _train(self, context: StageContext[Any]) -> TrainingResult:
        points = [_point(step) for step in range(1, STEPS + 1)]
        for point in points:
            pace = {"tokens_per_second": 310.0, "eta_seconds": 2.0 * (STEPS - point.step)}
            context.progress(
                point.step, STEPS, "step", **point.model_dump(exclude={"schema_version", "metrics"}, exclude_none=True), **pace
            )
            time.sleep(self.step_seconds)
        (context.out / "curve.jsonl").write_text("".join(point.model_dump_json() + "\n" for point in points))
        return TrainingResult(
            steps=STEPS, tokens=points[-1].tokens, seconds=points[-1].seconds, tokens_per_second=310.0,
            first_loss=points[0].loss, last_loss=points[-1].loss, trainable_parameters=4_884_480, total_parameters=139_400_640,
            precision="bf16", device="cpu", peak_memory_bytes=1_800_000_000, adapter_digest=context.key,
        )  # fmt: skip


def _point(step: int) -> LossPoint:
    loss = 1.9 * 0.93**step + 0.6 + 0.05 * ((step * 7) % 5 - 2) / 2
    return LossPoint(
        step=step, epoch=step / STEPS, loss=round(loss, 4), learning_rate=3e-4 * (1 - step / STEPS), tokens=620 * step,
        seconds=2.0 * step, heldout_loss=round(loss + 0.2, 4) if step % 6 == 0 else None,
    )  # fmt: skip


class SpeakingEngine(ToldEngine):
    """Answers in words of its own, a word at a time, in the form of chats and of completions at once."""

    tuned = "The fundamental seiche of Halden Bay has a mean period of 47.2 minutes and is present on 61 days in a hundred."
    base = "The answer to this question depends on the location of the bay, and on many other things beside."

    async def _events(self, path: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
        model = asked["model"]
        for word in (self.base if model == BASE else self.tuned).split(" "):
            event = {"model": model, "choices": [{"index": 0, "delta": {"content": f"{word} "}, "text": f"{word} "}]}
            yield b"data: " + json.dumps(event).encode() + b"\n\n"
            await asyncio.sleep(0.01)
        yield b"data: [DONE]\n\n"


@dataclass
class Library:
    """The gateway, its workers, and the engine that it relays to."""

    gateway: Gateway
    engine: SpeakingEngine
    engine_url: str
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.gateway.url

    def secret(self, scope: Scope = "admin") -> str:
        if scope not in self.secrets:
            self.secrets[scope] = self.gateway.parts.keys.create(f"{scope} of the tests", (scope,))[1]
        return self.secrets[scope]

    def add(self, path: Path, collection: str, done: bool = True) -> str:
        return self.gateway.add(collection, path.read_bytes(), path.name, done)

    def run(self, collection: str, document: str) -> None:
        self.gateway.workers.run(document_job(collection, document))

    @contextmanager
    def working(self) -> Iterator[None]:
        """Workers that take up what is queued, as long as the context lasts."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(0.1):
                for job in self.gateway.catalog.pending(50):
                    self.gateway.workers.run(job.id)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)

    def dataset(self, collection: str, name: str = "set") -> str:
        with self.gateway.client() as client:
            asked = client.post("/v1/datasets", json={"name": name, "collection": collection}).json()
        assert self.gateway.workers.run(asked["job"]) == "done", self.gateway.catalog.job(asked["job"])
        return str(asked["id"])

    def model(self, dataset: str, name: str = "papers-tuned", **recipe: Any) -> str:
        """A run that is done; returns the id of the model that it left."""
        with self.gateway.client() as client:
            run = client.post("/v1/runs", json={"name": name, "dataset": dataset, "recipe": recipe}).json()
            assert self.gateway.workers.run(run["job"]) == "done", self.gateway.catalog.job(run["job"])
            models = client.get("/v1/tuned-models").json()["items"]
        return str(next(one["id"] for one in models if one["run"] == run["id"]))

    def deploy(self, model: str | None, name: str) -> None:
        catalog = self.gateway.catalog
        self.gateway.parts.records.wish_deployment(
            DeploymentWish(name=name, model=model, base=BASE, wished_at="2026-01-01T00:00:00Z")
        )
        catalog.observe_deployment(name, "ready", None, [self.engine_url], model or BASE)


@contextmanager
def library(root: Path, queue_url: str, **more: Any) -> Iterator[Library]:
    """A whole one in a directory; `more` are further settings of its gateway."""
    shared = SharedSettings(
        store_url=f"file://{root}/store", catalog_url=f"sqlite:///{root}/catalog.db", queue_url=queue_url,
        cache_dir=root / "cache", log_json=False,
    )  # fmt: skip
    settings = GatewaySettings(**shared.model_dump(), event_poll_seconds=0.1, recovery_seconds=60, **more)
    migrate(settings.catalog_url)
    database = open_database(settings.catalog_url)
    store, catalog, redis, queue = open_store(settings), SqlCatalog(database), open_redis(settings), open_queue(settings)
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
    _publish_base(root / "base", parts)
    told = SpeakingEngine()
    server, engine = Server(create_app(parts), more.get("port", 0)), Server(told.app)
    yield Library(Gateway(parts, server.url, RealWorkers(Runner(store, catalog, queue, leases, settings))), told, engine.url)
    for one in (server, engine):
        one.stop()
    database.dispose()


def _publish_base(directory: Path, parts: Parts) -> None:
    """A tokenizer that counts words and the shape, which is all of a base that is looked at before training."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    directory.mkdir(parents=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "config.json").write_text(json.dumps(SHAPE))
    publish_base(
        parts.store, directory, name=BASE, source="made here", licence="none", architecture="none", eos_token="<|im_end|>"
    )


def hostile_pdf(path: Path) -> Path:
    """Markup and scripts wherever a PDF can hold text: title, headings, paragraphs and a line that looks like garbage."""
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle(INJECTIONS[0])
    canvas.setAuthor(INJECTIONS[1])
    for page in range(2):
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 760, INJECTIONS[page])
        canvas.setFont("Helvetica", 10)
        y = 720
        for at in range(12):
            text = f"Sentence {page}.{at} of the attack says {INJECTIONS[at % len(INJECTIONS)]}"
            canvas.drawString(60, y, text)
            canvas.drawString(60, y - 13, "and goes on in plain words about the tide gauge on the pier, which is read at dawn.")
            y -= 44
        canvas.drawString(
            60, y - 30, "~~ ## <script>document.title='owned'</script> %% @@ ^^ ~~ || == ++ <<>> ## $$ %% ^^ && ** (( ))"
        )
        canvas.showPage()
    canvas.save()
    return path

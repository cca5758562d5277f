"""The whole way from a PDF to a dataset in this very process: real stages, store, catalog, queue server and runner.

Tokens are counted as words and punctuation marks, so that no base model is needed: where chunks end may differ from a real
shelf's, and nothing else does.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.cleaning.handlers import handlers as cleaning
from services.extraction.handlers import handlers as extraction
from shared.bases import publish_base
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.contracts.documents import ChunkingParameters, ProcessingParameters
from shared.contracts.views import FINISHED
from shared.objects import open_store
from shared.pipeline import STAGES
from shared.queue import RedisLeases, open_queue, open_redis
from shared.records import Records
from shared.runner import Runner
from shared.settings import SharedSettings
from shared.telemetry import configure_logs
from tests.servers import Valkey

BASE = "words"
SHELF = "shelf"


@dataclass(frozen=True, slots=True)
class Line:
    """A shelf, and hands that take every job on it to its end."""

    records: Records
    runner: Runner

    def add(self, pdf: bytes, filename: str) -> str:
        """Upload; returns the document's id."""
        document = hashlib.sha256(pdf).hexdigest()
        upload = f"uploads/{document}"
        self.records.store.create(upload, pdf)
        self.records.add_document(SHELF, upload, filename, document, len(pdf))
        self.records.store.delete(upload)
        return document

    def work_off(self) -> None:
        """Until nothing waits."""
        handlers = {**extraction(), **cleaning()}
        while pending := self.runner.catalog.pending():
            for job in pending:
                while (found := self.runner.catalog.work(job.id)) is not None and found.state not in FINISHED:
                    stage = STAGES[found.stage]
                    self.runner.run(stage, stage.work.model_validate(found.work), handlers[stage.name])

    def manifests(self) -> dict[str, int]:
        """Committed results by stage: each is work that was done once."""
        store = self.records.store
        return {
            name: sum(path.endswith("/manifest.json") for path in store.list(f"stages/{name}"))
            for name in STAGES if any(True for _ in store.list(f"stages/{name}"))
        }  # fmt: skip


@contextmanager
def opened() -> Iterator[Line]:
    """A line of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as directory:
        root = Path(directory)
        configure_logs("ERROR", as_json=True)
        server = Valkey(root / "valkey")
        server.start()
        try:
            yield _line(root, server.url)
        finally:
            server.stop()


def pdfs_of(folder: Path) -> Iterable[Path]:
    return sorted(folder.rglob("*.pdf"))


def _line(root: Path, queue_url: str) -> Line:
    settings = SharedSettings(
        store_url=f"file://{root}/store",
        catalog_url=f"sqlite:///{root}/catalog.db",
        queue_url=queue_url,
        cache_dir=root / "cache",
    )
    migrate(settings.catalog_url)
    store, catalog = open_store(settings), SqlCatalog(open_database(settings.catalog_url))
    queue = open_queue(settings)
    _publish_words(root, store)
    records = Records(store, catalog, queue)
    records.set_parameters(SHELF, ProcessingParameters(chunking=ChunkingParameters(tokenizer=BASE)))
    return Line(records, Runner(store, catalog, queue, RedisLeases(open_redis(settings), settings.lease_seconds), settings))


def _publish_words(root: Path, store: object) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    made = root / "words"
    made.mkdir()
    tokenizer.save(str(made / "tokenizer.json"))
    publish_base(store, made, name=BASE, source="made here", licence="none", architecture="none", eos_token="")  # type: ignore[arg-type]

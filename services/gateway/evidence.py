"""Which pages taught it this? The training chunks nearest to a text, over indexes that are built beside the requests."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from pydantic import Field

from services.gateway.chunk_index import Index, build_index, require_indexable
from shared.contracts.base import Contract
from shared.contracts.documents import Chunk, Span
from shared.contracts.work import Manifest
from shared.errors import NotReady, Unsupported
from shared.objects import ObjectStore
from shared.pipeline import DATASET
from shared.results import committed
from shared.telemetry import log

WAIT_SECONDS = 1.0
"""How long a request waits for an index that is being built: small ones are ready by then."""


class Evidence(Contract):
    """A training chunk, where it stands, and how near it is."""

    chunk: str
    document: str
    filename: str
    pages: tuple[int, ...]
    text: str
    spans: tuple[Span, ...]
    score: float = Field(description="BM25; comparable within one answer only.")


Names = Callable[[set[str]], Mapping[str, str]]
"""The file names of some of a dataset's documents."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An index that is there or on its way, and the file that it is of."""

    path: str
    index: "Future[Index]"


class EvidenceShelf:
    """The indexes of the datasets asked for last. One is built at a time, in a thread beside the requests."""

    def __init__(self, store: ObjectStore, keep: int, max_bytes: int) -> None:
        self._store = store
        self._keep = keep
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock, self._building = threading.Lock(), threading.Lock()

    def nearest(self, key: str, names: Names, text: str, limit: int) -> list[Evidence]:
        """Blocking. Raises NotReady where the dataset is not done or its index not yet built, Unsupported where it is too
        large."""
        try:
            index = self._entry(key).index.result(WAIT_SECONDS)
        except TimeoutError:
            raise NotReady("The chunks of this dataset are being indexed; ask again in a few seconds.") from None
        found = [
            (Chunk.model_validate_json(self._store.read_range(index.path, start, end)), score)
            for start, end, score in index.nearest(text, limit)
        ]
        named = names({chunk.document for chunk, _ in found})
        return [_evidence(chunk, score, named.get(chunk.document, "")) for chunk, score in found]

    def prepare(self, key: str) -> None:
        """Have the index built for whoever is about to ask; where it cannot be, they are told when they do."""
        with suppress(NotReady, Unsupported):
            self._entry(key)

    def refresh(self) -> None:
        """Let go of indexes whose dataset was made anew, or is gone: a document was forgotten."""
        with self._lock:
            for key in list(self._entries):
                manifest = self._manifest(key)
                if manifest is None or manifest.files["chunks.jsonl"].path != self._entries[key].path:
                    del self._entries[key]

    def _entry(self, key: str) -> _Entry:
        manifest = self._manifest(key)
        if manifest is None:
            raise NotReady("The dataset is not done, so there are no training chunks to look in.")
        require_indexable(manifest, self._max_bytes)
        with self._lock:
            standing = self._entries.get(key)
            if standing is None or standing.path != manifest.files["chunks.jsonl"].path or _failed(standing):
                standing = self._entries[key] = self._begin(manifest)
                while len(self._entries) > self._keep:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
            return standing

    def _manifest(self, key: str) -> Manifest | None:
        """Where a dataset's chunks lie now: in other files since one of its documents was forgotten."""
        manifest = committed(self._store, DATASET.name, key)
        return manifest if manifest and "chunks.jsonl" in manifest.files else None

    def _begin(self, manifest: Manifest) -> _Entry:
        entry = _Entry(manifest.files["chunks.jsonl"].path, Future())
        threading.Thread(target=self._build, args=(manifest, entry), daemon=True, name="evidence").start()
        return entry

    def _build(self, manifest: Manifest, entry: _Entry) -> None:
        with self._building:
            try:
                entry.index.set_result(build_index(self._store, manifest))
            except Exception as error:  # told to whoever waits for it
                log().error("evidence.unbuilt", exc_info=error)
                entry.index.set_exception(error)


def _failed(entry: _Entry) -> bool:
    return entry.index.done() and entry.index.exception() is not None


def _evidence(chunk: Chunk, score: float, filename: str) -> Evidence:
    return Evidence(
        chunk=chunk.id, document=chunk.document, filename=filename, pages=chunk.pages, text=chunk.text, spans=chunk.spans,
        score=round(score, 9),  # of few chunks, terms weigh a millionth
    )  # fmt: skip

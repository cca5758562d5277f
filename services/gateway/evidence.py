"""Which pages taught it this? The training chunks nearest to a text, by BM25 over a dataset's chunks.

The index holds terms and places; the chunks' text stays in the store and is read for the few that are found.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import bm25s
from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.documents import Chunk, Span
from shared.contracts.work import Manifest
from shared.errors import NotReady, Unsupported
from shared.jsonl import placed_lines
from shared.objects import ObjectStore
from shared.pipeline import DATASET
from shared.results import committed


class Evidence(Contract):
    """A training chunk, where it stands, and how near it is."""

    chunk: str
    document: str
    filename: str
    pages: tuple[int, ...]
    text: str
    spans: tuple[Span, ...]
    score: float = Field(description="BM25; comparable within one answer only.")


@dataclass(frozen=True, slots=True)
class Index:
    """A dataset's training chunks: their terms, and the bytes of `path` where each stands."""

    path: str
    places: list[tuple[int, int]]
    terms: bm25s.BM25 | None

    def nearest(self, text: str, limit: int) -> list[tuple[int, int, float]]:
        """Start, end and score of up to `limit` chunks that share a term with the text, best first."""
        words = _words([text])[0]
        if self.terms is None or not words:
            return []
        found, scores = self.terms.retrieve([words], k=min(limit, len(self.places)), show_progress=False)
        near = zip(found[0].tolist(), scores[0].tolist(), strict=True)
        return [(*self.places[at], float(score)) for at, score in near if score > 0]


Names = Callable[[set[str]], Mapping[str, str]]
"""The file names of some of a dataset's documents."""


class EvidenceShelf:
    """The indexes of the datasets asked for last."""

    def __init__(self, store: ObjectStore, keep: int, max_bytes: int) -> None:
        self._store = store
        self._keep = keep
        self._max_bytes = max_bytes
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, key: str, names: Names, text: str, limit: int) -> list[Evidence]:
        """Blocking. Raises NotReady where the dataset is not done, Unsupported where it is too large."""
        index = self._index(key)
        found = [
            (Chunk.model_validate_json(self._store.read_range(index.path, start, end)), score)
            for start, end, score in index.nearest(text, limit)
        ]
        named = names({chunk.document for chunk, _ in found})
        return [_evidence(chunk, score, named.get(chunk.document, "")) for chunk, score in found]

    def refresh(self) -> None:
        """Let go of indexes whose dataset was made anew, or is gone: a document was forgotten."""
        with self._lock:
            for key in list(self._indexes):
                if self._chunks(key) != self._indexes[key].path:
                    del self._indexes[key]

    def _index(self, key: str) -> Index:
        # One is built at a time: building is the memory's peak.
        with self._lock:
            standing = self._indexes.get(key)
            if standing is None or standing.path != self._chunks(key):
                self._indexes[key] = self._build(key)
                while len(self._indexes) > self._keep:
                    self._indexes.popitem(last=False)
            self._indexes.move_to_end(key)
            return self._indexes[key]

    def _chunks(self, key: str) -> str | None:
        """Where a dataset's chunks lie now: in other files since one of its documents was forgotten."""
        manifest = committed(self._store, DATASET.name, key)
        return manifest.files["chunks.jsonl"].path if manifest and "chunks.jsonl" in manifest.files else None

    def _build(self, key: str) -> Index:
        manifest = committed(self._store, DATASET.name, key)
        if manifest is None or "chunks.jsonl" not in manifest.files:
            raise NotReady("The dataset is not done, so there are no training chunks to look in.")
        return build_index(self._store, manifest, self._max_bytes)


def _evidence(chunk: Chunk, score: float, filename: str) -> Evidence:
    return Evidence(
        chunk=chunk.id, document=chunk.document, filename=filename, pages=chunk.pages, text=chunk.text, spans=chunk.spans,
        score=round(score, 4),
    )  # fmt: skip


def build_index(store: ObjectStore, manifest: Manifest, max_bytes: int) -> Index:
    """Index the chunks that training examples were made of; held-out chunks taught nothing. Raises Unsupported."""
    chunks = manifest.files["chunks.jsonl"]
    if chunks.size_bytes > max_bytes:
        raise Unsupported(
            f"This dataset holds {chunks.size_bytes:,} bytes of chunks; evidence is looked for in at most {max_bytes:,}. "
            "LECTERN_EVIDENCE_MAX_BYTES sets another limit."
        )
    taught = {json.loads(line)["chunk"] for _, _, line in placed_lines(store, manifest.files["train.jsonl"].path)}
    places, texts = [], []
    for start, end, line in placed_lines(store, chunks.path):
        chunk = json.loads(line)
        if chunk["id"] in taught:
            places.append((start, end))
            texts.append(" ".join([*chunk["section"], chunk["text"]]))
    words = _words(texts)
    if not any(words):
        return Index(chunks.path, places, None)
    terms = bm25s.BM25()
    terms.index(words, show_progress=False)
    return Index(chunks.path, places, terms)


def _words(texts: list[str]) -> list[list[str]]:
    found: list[list[str]] = bm25s.tokenize(texts, stopwords="en", return_ids=False, show_progress=False)
    return found

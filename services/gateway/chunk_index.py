"""Full text over a dataset's training chunks: BM25 by SQLite's FTS5, in a file of its own that goes with the process.

The index holds terms and places; the chunks' text stays in the store. SQLite reads and writes outside the interpreter's lock,
keeps no more in memory than its cache, and unlinks its temporary file as it makes it: nothing is left behind, not by a killed
process either, and so no word of a document that was forgotten since.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.contracts.work import Manifest
from shared.errors import Unsupported
from shared.jsonl import placed_lines
from shared.objects import ObjectStore

CACHE_KIB = 16_000
FEW = 4
"""Of fewer chunks every word may be a common one."""
MOST_READ = 10_000
"""A search reads the rows of its rarest terms, up to so many: what is in every chunk tells nothing of where a text is from, and
takes the longest. Measured by `python -m benchmarks.evidence`."""

_TABLES = """
create virtual table terms using fts5(text, content='', tokenize='unicode61');
create table known (term text primary key, chunks integer not null) without rowid;
create virtual table asked using fts5(text, tokenize='unicode61');
create virtual table words using fts5vocab(asked, 'row');
create table places (id integer primary key, start integer not null, end integer not null);
"""

_COUNTS = """
create virtual table vocabulary using fts5vocab(terms, 'row');
insert into known select term, doc from vocabulary;
drop table vocabulary;
"""
"""In how many chunks each term stands. FTS5 would count a term's rows anew each time it is asked."""


@dataclass(slots=True)
class Index:
    """A dataset's training chunks: their terms, and the bytes of `path` where each stands. Safe to share between threads."""

    path: str
    chunks: int
    _database: sqlite3.Connection
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nearest(self, text: str, limit: int) -> list[tuple[int, int, float]]:
        """Start, end and score of up to `limit` chunks that share a term with the text, best first."""
        with self._lock:
            terms = self._rarest(text)
            if not terms:
                return []
            matching = " OR ".join(f'"{term}"' for term in terms)
            found = self._database.execute(
                "select start, end, -score from (select rowid, bm25(terms) as score from terms where terms match ? "
                "order by rank limit ?) join places on places.id = rowid order by score",
                (matching, limit),
            )
            return [(int(start), int(end), float(score)) for start, end, score in found]

    def _rarest(self, text: str) -> list[str]:
        """The text's terms as the index spells them, rarest first, as many as may be read; the rarest one always. What stands
        in more than half of the chunks weighs nothing in BM25, and a chunk found by it alone would be no evidence."""
        self._database.execute("delete from asked")
        self._database.execute("insert into asked(text) values (?)", (text,))
        known = self._database.execute(
            "select known.term, known.chunks from words join known on known.term = words.term order by known.chunks, known.term"
        ).fetchall()
        kept: list[str] = []
        left = MOST_READ
        for term, chunks in known:
            if (kept and chunks > left) or (self.chunks >= FEW and 2 * chunks > self.chunks):
                break
            kept.append(term)
            left -= chunks
        return kept


def require_indexable(manifest: Manifest, max_bytes: int) -> None:
    """Raises Unsupported."""
    size = manifest.files["chunks.jsonl"].size_bytes
    if size > max_bytes:
        raise Unsupported(
            f"This dataset holds {size:,} bytes of chunks; evidence is looked for in at most {max_bytes:,}. "
            "LECTERN_EVIDENCE_MAX_BYTES sets another limit."
        )


def build_index(store: ObjectStore, manifest: Manifest) -> Index:
    """Index the chunks that training examples were made of; held-out chunks taught nothing."""
    chunks = manifest.files["chunks.jsonl"]
    # An empty name is a temporary database on disk; it is written by one thread and read by others, one at a time.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    database.execute(f"pragma cache_size = -{CACHE_KIB}")
    database.executescript(_TABLES)
    taught = {json.loads(line)["chunk"] for _, _, line in placed_lines(store, manifest.files["train.jsonl"].path)}
    database.execute("begin")
    for number, (start, end, text) in enumerate(_texts(store, chunks.path, taught)):
        database.execute("insert into terms(rowid, text) values (?, ?)", (number, text))
        database.execute("insert into places values (?, ?, ?)", (number, start, end))
    database.execute("commit")
    database.executescript(_COUNTS)
    (count,) = database.execute("select count(*) from places").fetchone()
    return Index(chunks.path, count, database)


def _texts(store: ObjectStore, path: str, taught: set[str]) -> Iterator[tuple[int, int, str]]:
    for start, end, line in placed_lines(store, path):
        chunk = json.loads(line)
        if chunk["id"] in taught:
            yield start, end, " ".join([*chunk["section"], chunk["text"]])

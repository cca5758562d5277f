"""The files of a dataset: JSON lines, and the same as Parquet, as `datasets.load_dataset` opens them."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared.objects import read_lines

ROWS_A_GROUP = 1_000
BLOCK_BYTES = 1 << 20

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "instruction", "input", "output", "recipe", "chunk", "document", "filename")]
    + [("spans", pa.string()), ("tokens", pa.int32()), ("replayed_from", pa.string())]
)
"""`spans` are JSON, as their boxes may be missing."""


def write_parquet(source: Path, target: Path) -> None:
    """The examples of a JSON-lines file as Parquet, some rows at a time."""
    rows = read_lines(source)
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(_rows(rows), ROWS_A_GROUP)):
            writer.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))


def _rows(lines: Iterator[dict[str, object]]) -> Iterator[dict[str, object]]:
    for line in lines:
        yield {name: json.dumps(line[name]) if name == "spans" else line[name] for name in SCHEMA.names}


def digest_of(*paths: Path) -> str:
    """SHA-256, in hex, over the bytes of files one after the other."""
    sha = hashlib.sha256()
    for path in paths:
        with path.open("rb") as reader:
            while block := reader.read(BLOCK_BYTES):
                sha.update(block)
    return sha.hexdigest()

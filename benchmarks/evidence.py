"""How often the chunk that a text came from is among the training chunks that evidence names.

`python -m benchmarks.evidence [DIR]` extracts, cleans and cuts every PDF of a directory (default: our examples), indexes all
chunks as the gateway does for a dataset, and asks with one sentence of each chunk (six words and more): as it stands, and
with a quarter and a half of its words left out by lot, as an answer in other words would lack them. Printed is how often the
chunk that the sentence stands in comes first, and how often it is among the first five. A model's answer may come from
nowhere: of such texts this says nothing.
"""

import argparse
import json
import random
import re
import tempfile
from pathlib import Path

from benchmarks.chunk_check import documents
from services.cleaning.local import clean_mmd, estimated_tokens
from services.cleaning.stages.chunk import chunks
from services.gateway.chunk_index import Index, build_index
from shared.contracts.documents import Chunk, ChunkingParameters
from shared.contracts.work import File, Manifest
from shared.objects import ObjectStore, open_store
from shared.settings import StoreSettings

LEFT_OUT = (0.0, 0.25, 0.5)
SHOWN = 5
LEAST_WORDS = 6
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def cut(folder: Path) -> list[Chunk]:
    """The chunks of all documents."""
    made: list[Chunk] = []
    for name, pages in documents(folder):
        cleaned = clean_mmd("", pages)
        made += chunks(name, cleaned.pieces, ChunkingParameters(), estimated_tokens)
    return made


def indexed(store: ObjectStore, made: list[Chunk]) -> Index:
    contents = {
        "chunks.jsonl": "".join(chunk.model_dump_json() + "\n" for chunk in made),
        "train.jsonl": "".join(json.dumps({"chunk": chunk.id}) + "\n" for chunk in made),
    }
    files = {}
    for name, content in contents.items():
        store.create(f"made/{name}", content.encode())
        files[name] = File(path=f"made/{name}", size_bytes=len(content.encode()), sha256="")
    manifest = Manifest(
        stage="dataset", stage_version=1, key="k", work={}, files=files, started_at="", finished_at="", seconds=0
    )
    return build_index(store, manifest)


def sentence(chunk: Chunk, chance: random.Random) -> list[str] | None:
    """The words of one of its sentences, none where all are short."""
    found = [words for one in _SENTENCE.split(chunk.text) if len(words := one.split()) >= LEAST_WORDS]
    return chance.choice(found) if found else None


def places(made: list[Chunk]) -> list[int]:
    """Where each chunk begins in the file."""
    starts, at = [], 0
    for chunk in made:
        starts.append(at)
        at += len(chunk.model_dump_json().encode()) + 1
    return starts


def shares(index: Index, made: list[Chunk], left_out: float) -> tuple[int, float, float]:
    """How many were asked; the share of those whose chunk came first; and was among the first few."""
    chance = random.Random(1)
    first = among = asked = 0
    starts = places(made)
    for at, chunk in enumerate(made):
        words = sentence(chunk, chance)
        if words is None:
            continue
        asked += 1
        kept = [word for word in words if chance.random() >= left_out]
        near = [start for start, _, _ in index.nearest(" ".join(kept), SHOWN)]
        first += near[:1] == [starts[at]]
        among += starts[at] in near
    return asked, first / asked, among / asked


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=root / "examples/pdf", help="PDFs or page maps")
    made = cut(parser.parse_args().folder)
    with tempfile.TemporaryDirectory() as directory:
        index = indexed(open_store(StoreSettings(store_url=f"file://{directory}")), made)
        print(f"{len(made)} chunks")
        for left_out in LEFT_OUT:
            asked, first, among = shares(index, made, left_out)
            print(f"{left_out:4.0%} of the words left out: {asked} asked, first {first:.1%}, among {SHOWN} {among:.1%}")


if __name__ == "__main__":
    main()

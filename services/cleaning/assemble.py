"""A dataset on disk from the chunks of its documents, one document in memory at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.cleaning.adapters.dataset_files import digest_of, write_parquet
from services.cleaning.stages.dataset import (
    Skipped,
    Source,
    TokenCount,
    examples,
    fingerprint,
    heldout_chunks,
    heldout_documents,
)
from shared.contracts.documents import Chunk
from shared.contracts.learning import DatasetParameters, DatasetResult, Example
from shared.contracts.work import Rejected
from shared.objects import read_lines

TRAIN, HELDOUT, CHUNKS = "train", "heldout", "chunks.jsonl"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A document of the dataset and the file its chunks are in."""

    source: Source
    chunks: Path


@dataclass(slots=True)
class _Made:
    """What one document gave: its examples in a file of their own, and the chunks that they come from, in order."""

    shelf: Shelf
    file: Path
    count: int = 0
    chunks: list[str] = field(default_factory=list)


def assemble(
    shelves: Iterable[Shelf],
    total: int,
    out: Path,
    scratch: Path,
    parameters: DatasetParameters,
    count: TokenCount,
    progress: Progress,
) -> DatasetResult | Rejected:
    """Writes `train` and `heldout` as JSON lines and Parquet, and `chunks.jsonl`. The order of `shelves` decides the order
    of the examples."""
    skipped: Counter[str] = Counter()
    seen: set[bytes] = set()
    made: list[_Made] = []
    for number, shelf in enumerate(shelves):
        one = _make(shelf, scratch / f"examples-{number:06d}.jsonl", parameters, count, seen, skipped)
        if one.count:
            made.append(one)
        progress(number + 1, total)
    if not made:
        return _empty(sum(skipped.values()))
    return _write(made, out, parameters, skipped)


def _make(
    shelf: Shelf, file: Path, parameters: DatasetParameters, count: TokenCount, seen: set[bytes], skipped: Counter[str]
) -> _Made:
    made = _Made(shelf, file)
    with file.open("w", encoding="utf-8") as lines:
        for example in examples(shelf.source, _chunks(shelf.chunks), parameters, count):
            if isinstance(example, Skipped):
                skipped[example.reason] += 1
            elif (name := fingerprint(example)) in seen:
                skipped["duplicate"] += 1
            else:
                seen.add(name)
                lines.write(example.model_dump_json() + "\n")
                made.count += 1
                if not made.chunks or made.chunks[-1] != example.chunk:
                    made.chunks.append(example.chunk)
    return made


def _write(made: list[_Made], out: Path, parameters: DatasetParameters, skipped: Counter[str]) -> DatasetResult | Rejected:
    by_document = len(made) > 1
    if by_document:
        kept_out = heldout_documents([one.shelf.source.document for one in made], parameters)
    else:
        kept_out = heldout_chunks(made[0].shelf.source.document, made[0].chunks, parameters)
        if not kept_out:
            return _empty(sum(skipped.values()))
    train, heldout = out / f"{TRAIN}.jsonl", out / f"{HELDOUT}.jsonl"
    counts = _part(made, kept_out, train, heldout, by_document)
    _copy_chunks(made, out / CHUNKS)
    for path in (train, heldout):
        write_parquet(path, path.with_suffix(".parquet"))
    return DatasetResult(
        digest=digest_of(train, heldout), documents=len(made), chunks=sum(len(one.chunks) for one in made),
        train=counts[0], heldout=counts[1], heldout_documents=len(kept_out) if by_document else 0,
        split="document" if by_document else "chunk", skipped=dict(sorted(skipped.items())),
    )  # fmt: skip


def _part(made: list[_Made], kept_out: frozenset[str], train: Path, heldout: Path, by_document: bool) -> tuple[int, int]:
    counts = [0, 0]
    with train.open("w", encoding="utf-8") as to_train, heldout.open("w", encoding="utf-8") as to_heldout:
        for one in made:
            with one.file.open(encoding="utf-8") as lines:
                for line in lines:
                    example = Example.model_validate_json(line)
                    side = (example.document if by_document else example.chunk) in kept_out
                    (to_heldout if side else to_train).write(line)
                    counts[side] += 1
    return counts[0], counts[1]


def _copy_chunks(made: list[_Made], target: Path) -> None:
    """The chunks that examples come from, whole, so that an answer's evidence can be looked up."""
    with target.open("w", encoding="utf-8") as writer:
        for one in made:
            used = set(one.chunks)
            for chunk in _chunks(one.shelf.chunks):
                if chunk.id in used:
                    writer.write(chunk.model_dump_json() + "\n")


def _chunks(path: Path) -> Iterator[Chunk]:
    return (Chunk.model_validate(line) for line in read_lines(path))


def _empty(skipped: int) -> Rejected:
    return Rejected(
        reason="empty-dataset",
        detail="The documents hold too little text for examples to train on and to hold out "
        f"({skipped} passages were skipped). Add documents, look into the garbage for text that was set aside, "
        "or allow longer answers.",
    )

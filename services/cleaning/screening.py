"""The files that screening makes of a document: its chunks and its garbage in their final form, and the index of both."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from services.cleaning.stages.chunk import TokenCount
from services.cleaning.stages.review_order import place
from services.cleaning.stages.screen import Judge, screen
from services.cleaning.write import CHUNKS, GARBAGE
from shared.contracts.documents import Chunk, ChunkingParameters, GarbageItem, ScreeningResult
from shared.contracts.review import Reviewable
from shared.keys import text_mark
from shared.objects import read_lines

REVIEW = "review.jsonl"


def screen_to(
    chunks: Path,
    garbage: Path,
    out: Path,
    judge: Judge | None,
    parameters: ChunkingParameters,
    count: TokenCount,
    progress: Callable[[int], None],
) -> ScreeningResult:
    """Writes `chunks.jsonl`, `garbage.jsonl` and `review.jsonl`, some texts in memory at a time."""
    reasons: Counter[str] = Counter()
    made = tokens = returned = 0
    with (out / CHUNKS).open("wb") as kept, (out / GARBAGE).open("wb") as aside, (out / REVIEW).open("wb") as index:
        items = screen(read_chunks(chunks), read_garbage(garbage), judge, parameters, count)
        for number, item in enumerate(items, 1):
            if isinstance(item, Chunk):
                made, tokens, returned = made + 1, tokens + item.tokens, returned + bool(item.reason)
            else:
                reasons[item.reason] += 1
            entry = _written(item, kept if isinstance(item, Chunk) else aside)
            index.write(entry.model_dump_json().encode() + b"\n")
            progress(number)
    return ScreeningResult(
        chunks=made, tokens=tokens, garbage=dict(sorted(reasons.items())),
        decided_by="classifier" if judge is not None and judge.in_charge else "rules",
        classifier=judge.version if judge is not None else None,
        set_aside=reasons["classifier"], returned=returned, chunking=parameters,
    )  # fmt: skip


def _written(item: Chunk | GarbageItem, file: BinaryIO) -> Reviewable:
    start = file.tell()
    file.write(item.model_dump_json().encode() + b"\n")
    mark = text_mark(item.text)
    lane, rank = place(item, mark)
    return Reviewable(
        id=item.id, mark=mark, decision="kept" if isinstance(item, Chunk) else "set-aside", reason=item.reason,
        probability=item.probability, lane=lane, rank=rank, file="chunks.jsonl" if isinstance(item, Chunk) else "garbage.jsonl",
        start=start, end=file.tell() - 1,
    )  # fmt: skip


def read_chunks(path: Path) -> Iterator[Chunk]:
    return (Chunk.model_validate(line) for line in read_lines(path))


def read_garbage(path: Path) -> Iterator[GarbageItem]:
    return (GarbageItem.model_validate(line) for line in read_lines(path))

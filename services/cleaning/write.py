"""The files that cleaning and chunking make of a document, written as it is read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from services.cleaning.stages.accounts import account
from services.cleaning.stages.chunk import TokenCount, chunks
from services.cleaning.stages.clean import Cleaner, Kept
from services.cleaning.stages.habits import habits
from services.cleaning.stages.tagging import LineModel, tagged
from shared.contracts.documents import (
    ChunkingParameters,
    ChunkingResult,
    CleaningParameters,
    CleaningResult,
    GarbageItem,
    LineFate,
    Page,
    PageFate,
    Piece,
)

MMD, PIECES, GARBAGE, LINES, CHUNKS = "clean.mmd", "pieces.jsonl", "garbage.jsonl", "lines.jsonl", "chunks.jsonl"
LEDGER = "ledger.jsonl"


def clean_to(
    pages: Path,
    out: Path,
    document: str,
    parameters: CleaningParameters,
    model: LineModel | None,
    progress: Callable[[int], None],
) -> CleaningResult:
    """Reads a page map twice, a few pages at a time: to learn the document's habits, then to clean it. Without a model the
    rules label the lines."""
    known = habits(read_pages(pages), parameters)
    cleaner = Cleaner(document, parameters, known)
    pieces, fates = 0, Counter[PageFate]()
    with (
        (out / MMD).open("w", encoding="utf-8") as mmd,
        (out / PIECES).open("w", encoding="utf-8") as kept,
        (out / GARBAGE).open("w", encoding="utf-8") as garbage,
        (out / LINES).open("w", encoding="utf-8") as lines,
        (out / LEDGER).open("w", encoding="utf-8") as accounts,
    ):
        for page in tagged(read_pages(pages), known, parameters.margin_share, model):
            became: list[LineFate] = []
            for item in cleaner.clean(page):
                if isinstance(item, Kept):
                    pieces += 1
                    mmd.write(item.mmd)
                    kept.write(item.piece.model_dump_json() + "\n")
                elif isinstance(item, GarbageItem):
                    garbage.write(item.model_dump_json() + "\n")
                else:
                    became.append(item)
                    lines.write(item.model_dump_json() + "\n")
            row = account(page.page, became)
            fates[row.fate] += 1
            accounts.write(row.model_dump_json() + "\n")
            progress(page.page.number)
        mmd.write("\n" if pieces else "")
    ledger = cleaner.ledger
    return CleaningResult(
        pieces=pieces, characters_in=ledger.read, characters_kept=ledger.kept,
        dropped=dict(sorted(ledger.dropped.items())), garbage=dict(sorted(ledger.garbage_items.items())),
        characters_garbage=ledger.garbage_characters, lines_in=ledger.lines_read,
        lines=dict(sorted(ledger.lines.items())), pages=dict(sorted(fates.items())),
        personal=dict(sorted(ledger.personal.items())),
        flags=dict(sorted(ledger.flags.items())), title=cleaner.title,
    )  # fmt: skip


def read_pages(path: Path) -> Iterator[Page]:
    with path.open("rb") as lines:
        for line in lines:
            yield Page.model_validate_json(line)


def chunk_to(
    pieces: Iterable[Piece], out: Path, document: str, parameters: ChunkingParameters, count: TokenCount
) -> ChunkingResult:
    """Writes `chunks.jsonl`."""
    made = tokens = over = 0
    with (out / CHUNKS).open("w", encoding="utf-8") as lines:
        for chunk in chunks(document, pieces, parameters, count):
            lines.write(chunk.model_dump_json() + "\n")
            made += 1
            tokens += chunk.tokens
            over += chunk.tokens > parameters.max_tokens
    return ChunkingResult(chunks=made, tokens=tokens, over_budget=over)

"""Cleaning and chunking without a server, on one file of MMD: what `lectern clean` and `lectern chunk` call."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from services.cleaning.adapters.line_models import bundled_model
from services.cleaning.stages.chunk import TokenCount, chunks
from services.cleaning.stages.clean import Cleaner, Kept, Ledger
from services.cleaning.stages.habits import habits
from services.cleaning.stages.mmd_blocks import page_of
from services.cleaning.stages.tagging import tagged
from services.cleaning.write import read_pages
from shared.contracts.documents import Chunk, ChunkingParameters, CleaningParameters, GarbageItem, LineFate, Page, Piece

_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning made of a text."""

    mmd: str
    pieces: tuple[Piece, ...]
    garbage: tuple[GarbageItem, ...]
    lines: tuple[LineFate, ...]
    ledger: Ledger
    title: str | None


def clean_mmd(
    mmd: str, pages: tuple[Page, ...] | None = None, parameters: CleaningParameters | None = None, document: str = ""
) -> Cleaned:
    """Cleans a text. With its page map, pieces know their page and box; without, all stand on page 1 and rules
    label the lines. Raises NotFound where the parameters name a published tagger, which only a server has."""
    wanted = parameters or CleaningParameters()
    given = pages if pages is not None else (page_of(mmd),)
    known = habits(given, wanted)
    cleaner = Cleaner(document or sha256(mmd.encode()).hexdigest(), wanted, known)
    model = bundled_model(wanted.tagger)
    found = [item for page in tagged(given, known, wanted.margin_share, model) for item in cleaner.clean(page)]
    kept = [item for item in found if isinstance(item, Kept)]
    garbage = tuple(item for item in found if isinstance(item, GarbageItem))
    lines = tuple(item for item in found if isinstance(item, LineFate))
    text = "".join(item.mmd for item in kept) + ("\n" if kept else "")
    return Cleaned(text, tuple(item.piece for item in kept), garbage, lines, cleaner.ledger, cleaner.title)


def clean_file(path: Path, parameters: CleaningParameters | None = None) -> Cleaned:
    """Cleans `STEM.mmd`, with the page map beside it (`STEM.pages.jsonl`) where there is one."""
    beside = path.with_name(f"{path.stem}.pages.jsonl")
    pages = tuple(read_pages(beside)) if beside.exists() else None
    return clean_mmd(path.read_text(encoding="utf-8"), pages, parameters)


def chunk_file(
    path: Path,
    chunking: ChunkingParameters,
    count: TokenCount | None = None,
    cleaning: CleaningParameters | None = None,
) -> Iterator[Chunk]:
    """Cleans `STEM.mmd` and cuts it. Tokens are estimated where no counter of a tokenizer is given."""
    document = sha256(path.read_bytes()).hexdigest()
    yield from chunks(document, clean_file(path, cleaning).pieces, chunking, count or estimated_tokens)


def estimated_tokens(text: str) -> int:
    """About what a byte-pair tokenizer of 50,000 tokens makes of English: a piece a punctuation mark, one for six letters."""
    return sum(1 for _ in _TOKEN.finditer(text))

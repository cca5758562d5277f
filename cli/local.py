"""The stages on files, without a server: the only module of the command, besides the launcher, that imports services."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.home import Home
from cli.outcome import Exit, Failure
from shared.contracts.work import Rejected
from shared.errors import LecternError


@dataclass(frozen=True, slots=True)
class Extracted:
    """A PDF as MMD, with its page map."""

    mmd: str
    pages: list[Any]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one PDF of a folder."""

    file: Path
    pages: int | None = None
    reason: str | None = None
    detail: str = ""

    @property
    def json(self) -> dict[str, Any]:
        return {"file": str(self.file), "pages": self.pages, "code": self.reason, "detail": self.detail or None}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """MMD without what repeats and what is garbage; the garbage as items."""

    mmd: str
    garbage: list[dict[str, Any]]
    dropped: dict[str, int]
    personal: dict[str, int]
    flags: dict[str, int]


def extract(source: Path) -> Extracted:
    """Raises Failure where the document is refused."""
    from services.extraction.local import extract_file

    with _told():
        found = extract_file(source)
    if isinstance(found, Rejected):
        raise Failure(f"{source.name} is refused ({found.reason}): {found.detail}", Exit.FAILED, found.reason)
    pages = [json.loads(line) for line in found.pages.split("\n") if line]
    return Extracted(found.mmd, pages, found.result.model_dump(mode="json", exclude={"schema_version"}))


def extract_folder(source: Path, out: Path, jobs: int, plain: bool = False) -> Iterator[FileOutcome]:
    """Every PDF of a folder, as they are done: `STEM.mmd` and `STEM.pages.jsonl` in `out`, or `STEM.txt` if `plain`."""
    from services.extraction.local import extract_folder as extract_all
    from services.extraction.local import text_of_folder

    with _told():
        for each in (text_of_folder if plain else extract_all)(source, out, jobs=jobs):
            if isinstance(each.outcome, Rejected):
                yield FileOutcome(each.source, reason=each.outcome.reason, detail=each.outcome.detail)
            else:
                yield FileOutcome(each.source, pages=each.outcome.pages)


def text(source: Path) -> str:
    """The plain text of a PDF. Raises Failure where the document is refused."""
    from services.extraction.local import text_of_file

    with _told():
        found = text_of_file(source)
    if isinstance(found, Rejected):
        raise Failure(f"{source.name} is refused ({found.reason}): {found.detail}", Exit.FAILED, found.reason)
    return found


def clean(source: Path | None, text: str = "") -> Cleaned:
    """Clean an MMD file, with the page map beside it where there is one; or a text that has no file."""
    from services.cleaning.local import clean_file, clean_mmd

    with _told():
        found = clean_file(source) if source is not None else clean_mmd(text)
    garbage = [item.model_dump(mode="json", exclude={"schema_version"}) for item in found.garbage]
    ledger = found.ledger
    return Cleaned(found.mmd, garbage, dict(ledger.dropped), dict(ledger.personal), dict(ledger.flags))


def chunk(source: Path | None, text: str, max_tokens: int, overlap: int, tokenizer: Path) -> Iterator[dict[str, Any]]:
    """Chunks of an MMD file, or of a text that has no file, counted by a tokenizer.json."""
    from services.cleaning.adapters.tokenizer import token_counter
    from services.cleaning.local import chunk_file
    from shared.contracts.documents import ChunkingParameters

    parameters = ChunkingParameters(max_tokens=max_tokens, overlap_sentences=overlap, tokenizer=tokenizer.parent.name)
    with _told(), _file_of(source, text) as file:
        for each in chunk_file(file, parameters, token_counter(tokenizer)):
            yield each.model_dump(mode="json", exclude={"schema_version"})


def tokenizer_file(home: Home, wished: Path | None) -> Path:
    """The tokenizer.json to count with: the one named, or that of the base model in the home. Raises Failure."""
    if wished is not None:
        if not wished.is_file():
            raise Failure(f"There is no file {wished}; --tokenizer names a tokenizer.json.", Exit.USAGE, "usage")
        return wished
    for pattern in ("cache/bases/*/tokenizer.json", "store/bases/*/*/tokenizer.json", "store/bases/*/tokenizer.json"):
        for found in sorted(home.root.glob(pattern)):
            return found
    raise Failure(
        f"There is no tokenizer to count tokens with under {home.root}. "
        "Name a tokenizer.json with --tokenizer, or let `lectern up` prepare the base model once.",
        Exit.NOT_FOUND,
        "no-tokenizer",
    )


@contextmanager
def _told() -> Iterator[None]:
    """An error that a stage raised on purpose is a failure that says the same."""
    try:
        yield
    except LecternError as error:
        raise Failure(error.message, Exit.FAILED, error.code) from error
    except UnicodeDecodeError as error:
        raise Failure(f"The file is not text in UTF-8: {error}.", Exit.USAGE, "usage") from error


@contextmanager
def _file_of(source: Path | None, text: str) -> Iterator[Path]:
    if source is not None:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="lectern-chunk-") as directory:
        file = Path(directory) / "stdin.mmd"
        file.write_text(text, encoding="utf-8")
        yield file

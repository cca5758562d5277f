"""PDFs with what they really say: a corpus of `pdf/*.pdf` and `gt/STEM.md`, `.txt` or `.tables.html`, or our own examples."""

from dataclasses import dataclass
from pathlib import Path

from examples.typesetting.source import (
    Block,
    Callout,
    Figure,
    Formula,
    Grid,
    Heading,
    Items,
    Prose,
    Reference,
    Source,
    read_source,
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a document says, in Markdown; or its tables alone, in HTML."""

    text: str
    tables_only: bool = False


def corpus_truths(directory: Path) -> dict[Path, Truth | None]:
    """The PDFs of a corpus; those without a truth are timed and not scored."""
    return {path: _truth_of(directory / "gt", path.stem) for path in sorted((directory / "pdf").glob("*.pdf"))}


def _truth_of(directory: Path, stem: str) -> Truth | None:
    for suffix in (".tables.html", ".md", ".txt"):
        if (file := directory / f"{stem}{suffix}").is_file():
            return Truth(file.read_text(encoding="utf-8"), tables_only=suffix == ".tables.html")
    return None


def example_truths(examples: Path) -> dict[Path, Truth | None]:
    """Our own examples, with truths made of the sources that they were typeset from."""
    sources = {path.stem: path for path in (examples / "sources").glob("*.md")}
    return {path: Truth(_markdown(read_source(sources[path.stem]))) for path in sorted((examples / "pdf").glob("*.pdf"))}


def _markdown(source: Source) -> str:
    title = [f"# {source.head['title']}"] if "title" in source.head else []
    byline = [source.head[name] for name in ("subtitle", "authors", "affiliation") if name in source.head]
    return "\n\n".join([*title, *byline, *(_block(block) for block in source.blocks)])


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * min(6, level + 1)} {text}"
        case Items(texts, ordered):
            return "\n".join(f"{f'{number}.' if ordered else '-'} {text}" for number, text in enumerate(texts, 1))
        case Grid(caption, rows):
            lines = ["| " + " | ".join(row) + " |" for row in rows]
            return "\n".join([caption, "", lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
        case Figure(_, caption):
            return caption
        case Reference(number, text):
            return f"[{number}] {text}"
        case Prose(text) | Callout(text) | Formula(text):
            return text

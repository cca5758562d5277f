"""Reads an example's source: a head of `name: value` lines, then a small markdown of blocks."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `ordered` ones are numbered steps."""

    texts: tuple[str, ...]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the first row is its head."""

    caption: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    drawing: str
    caption: str


@dataclass(frozen=True, slots=True)
class Callout:
    text: str


@dataclass(frozen=True, slots=True)
class Formula:
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    number: str
    text: str


Block = Heading | Prose | Items | Grid | Figure | Callout | Formula | Reference


@dataclass(frozen=True, slots=True)
class Source:
    head: dict[str, str]
    blocks: tuple[Block, ...] = field(default=())

    @property
    def kind(self) -> str:
        return self.head["class"]


def read_source(path: Path) -> Source:
    """Parse one file. Raises KeyError later where a look needs a head that is not there."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    pairs = (line.partition(":") for line in head.splitlines())
    return Source({name.strip(): value.strip() for name, _, value in pairs}, tuple(_blocks(body)))


def _blocks(body: str) -> list[Block]:
    paragraphs = re.split(r"\n\s*\n", body.strip())
    return [block for paragraph in paragraphs for block in _block(paragraph.splitlines())]


def _block(lines: list[str]) -> list[Block]:
    first, text = lines[0], " ".join(line.strip() for line in lines)
    if match := re.match(r"(#+) (.+)", first):
        return [Heading(len(match[1]), match[2])]
    if first.startswith("Table: "):
        return [Grid(first.removeprefix("Table: "), tuple(_row(line) for line in lines[1:]))]
    if match := re.match(r"Figure: ([\w-]+): (.+)", text):
        return [Figure(match[1], match[2])]
    if first.startswith("> "):
        return [Callout(text.removeprefix("> "))]
    if first.startswith("= "):
        return [Formula(text.removeprefix("= "))]
    if re.match(r"\[\d+\] ", first):
        return [Reference(*line.split("] ", 1)) for line in (line.removeprefix("[") for line in lines)]
    if re.match(r"(- |\d+\. )", first):
        return [Items(tuple(re.sub(r"^(- |\d+\. )", "", line) for line in lines), ordered=not first.startswith("- "))]
    return [Prose(text)]


def _row(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
